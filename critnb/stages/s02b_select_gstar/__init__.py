"""S02B: the gain whose branching is nearest to one."""
