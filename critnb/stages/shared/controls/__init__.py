"""The controls of the instrument on a run's lattice: rasters judged as S05 judges, their rates, and how they are shown."""
