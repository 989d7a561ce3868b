"""For who reviews: the page of a runs folder, and two runs side by side."""
