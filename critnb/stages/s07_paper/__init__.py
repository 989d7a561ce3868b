"""S07: claims and the paper."""
