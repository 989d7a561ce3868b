"""S08: the release."""
