"""The registry: every identifier, file name, constant and command of the pack, and where its files lie."""

# each name is listed once, where it is defined
from critnb.canon.identifiers import *  # noqa: F403
from critnb.canon.places import *  # noqa: F403
from critnb.canon.registry import CANON as CANON
from critnb.canon.registry import Registry as Registry
