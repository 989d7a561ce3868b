"""What each stage does, one module a stage: a notebook calls these and shows what they return.

A step takes the stage's session, reads parameters and upstream artifacts through it, calls the rooms that know how,
and writes what the stage has to leave behind.
"""
