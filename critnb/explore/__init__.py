"""Explore runs in a notebook: rasters with their avalanches, nulls, curves, and a model that answers live.

State (``ExplorerState``), pictures (matplotlib, also for exported notebooks) and widgets are separate. Only the live mode
imports torch, when it is used.
"""

from critnb.explore.chain import Chain, find_chains
from critnb.explore.explorer import Explorer
from critnb.explore.raster import RasterView, raster_view
from critnb.explore.state import ExplorerState, Selection
from critnb.explore.window import Facts, Window

__all__ = [
    "Chain",
    "Explorer",
    "ExplorerState",
    "Facts",
    "RasterView",
    "Selection",
    "Window",
    "find_chains",
    "raster_view",
]
