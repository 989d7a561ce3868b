"""From u to events: moments, base rates and targets, exact thresholds, and rasters out of one forward pass a window.

The passes are streamed: nothing of the size of u outlives the layer that it was read in.
"""

from critnb.events.calibration import Calibration
from critnb.events.passes import base_rates, calibrate, extract, match_rates
from critnb.events.targets import RateTargets
from critnb.events.thresholds import Thresholds

__all__ = ["Calibration", "RateTargets", "Thresholds", "base_rates", "calibrate", "extract", "match_rates"]
