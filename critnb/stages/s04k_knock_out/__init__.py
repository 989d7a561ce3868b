"""S04K: events put out one layer at a time, and how small disturbances grow along depth."""
