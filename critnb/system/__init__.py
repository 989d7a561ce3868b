"""What the machine sets: terminals, paths, limits, and how their failures are told."""
