"""Explore runs in a notebook: rasters with their avalanches, nulls, curves, and a model that answers live.

State (``ExplorerState``), pictures (matplotlib, also for exported notebooks) and widgets are separate. Only the live mode
imports torch, when it is used. Widgets are imported on first use, and refused without the extra ``explore``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from critnb.explore.chain import Chain, find_chains
from critnb.explore.selection import Selection
from critnb.explore.state import ExplorerState
from critnb.explore.window import Facts, Window
from critnb.system.extras import EXPLORE

if TYPE_CHECKING:
    from critnb.explore.explorer import Explorer
    from critnb.explore.raster import RasterView, raster_view

_WIDGETS = {
    "Explorer": "critnb.explore.explorer",
    "RasterView": "critnb.explore.raster",
    "raster_view": "critnb.explore.raster",
}

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


def __getattr__(name: str) -> Any:
    if name not in _WIDGETS:
        raise AttributeError(f"module 'critnb.explore' has no attribute {name!r}")
    EXPLORE.require(f"critnb.explore.{name}")
    return getattr(import_module(_WIDGETS[name]), name)
