"""S01: moments and base rates of every MLP unit."""
