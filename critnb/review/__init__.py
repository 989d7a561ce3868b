"""For reviewers: the page of a runs folder (``index``), and what differs between two runs of a stage (``diff``)."""
