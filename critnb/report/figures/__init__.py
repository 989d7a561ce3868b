"""Figures F01 to F05, each drawn from artifacts alone: frames, rasters and gstar.json in, a ``Drawing`` out."""

from critnb.report.figures.f01_raster import pick_example, raster_example
from critnb.report.figures.f02_rates import rate_match
from critnb.report.figures.f03_branching import branching_curves
from critnb.report.figures.f04_delta import null_delta
from critnb.report.figures.f05_gstar import gstar_selection

__all__ = ["branching_curves", "gstar_selection", "null_delta", "pick_example", "raster_example", "rate_match"]
