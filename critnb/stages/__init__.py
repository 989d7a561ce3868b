"""What each stage does, one folder per stage: its notebook calls these modules and shows what they return.

A function of ``work`` takes the stage's session, reads parameters and upstream artifacts through it, and writes the
stage's results; ``tables`` is the part that needs no model, ``views`` and ``figures`` are what the notebook shows.
"""
