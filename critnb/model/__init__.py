"""Everything that knows torch and transformers: loading, taps, gain, windows of tokens, forward passes, model checks."""
