"""S00: checks of the model in the instrument and the known answers."""
