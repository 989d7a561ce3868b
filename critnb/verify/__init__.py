"""Check a release from its bytes: what each file is, and everything that can be computed again from it without a model."""
