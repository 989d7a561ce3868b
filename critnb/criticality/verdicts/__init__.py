"""Signatures and falsifiers: the rules that judge a condition's statistics."""
