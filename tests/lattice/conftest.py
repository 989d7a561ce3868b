from hypothesis import settings

# A busy machine is no failure: examples have no deadline of their own, pytest's timeout holds.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
