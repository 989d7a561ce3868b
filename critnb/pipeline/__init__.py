"""From params to finished runs: plan them, execute their notebooks, and the session in which a notebook does its work."""
