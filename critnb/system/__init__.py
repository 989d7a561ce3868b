"""What terminals, paths and the limits of the machine require, and which failures end a command in one line."""
