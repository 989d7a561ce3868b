"""S06ARC: multiple-choice questions at g1 and g*."""
