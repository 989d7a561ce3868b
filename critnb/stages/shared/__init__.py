"""What several stages share: conditions and columns, null replicates, shares of unreadable tokens."""
