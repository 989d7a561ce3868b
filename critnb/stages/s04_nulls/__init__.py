"""S04: the nulls of every condition."""
