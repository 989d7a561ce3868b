"""From u to events: moments, base rates and targets, exact thresholds, and rasters from one forward pass per window.

The passes are streamed: nothing of the size of u is kept beyond its layer. They are imported on first use, so that
what needs no model (calibration, targets, thresholds, rate matching) loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from critnb.events.calibration import Calibration
from critnb.events.targets import RateTargets
from critnb.lattice.thresholds import Thresholds

if TYPE_CHECKING:
    from critnb.events.passes import base_rates, calibrate, extract, gather, match_rates

__all__ = [
    "Calibration",
    "RateTargets",
    "Thresholds",
    "base_rates",
    "calibrate",
    "extract",
    "gather",
    "match_rates",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from critnb.events import passes

        return getattr(passes, name)
    raise AttributeError(name)
