"""The machine below the pack: terminals, paths that users give, and what stops a command."""
