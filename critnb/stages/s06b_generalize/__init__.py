"""S06B: g1 and g* on other text."""
