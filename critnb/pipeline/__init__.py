"""From params to finished runs: the plan, the execution of notebooks, and the session that a notebook works in."""
