"""S05: statistics beside their nulls, tables, figures and verdicts."""
