"""Figures F01 to F06 and F08 to F16, each drawn from artifacts alone: frames, rasters, gstar.json in, a ``Drawing`` out."""

from critnb.report.figures.f01_raster import pick_example, raster_example
from critnb.report.figures.f02_rates import rate_match
from critnb.report.figures.f03_branching import branching_curves
from critnb.report.figures.f04_delta import null_delta
from critnb.report.figures.f05_gstar import gstar_selection
from critnb.report.figures.f06_generalization import generalization
from critnb.report.figures.f08_spikedef import spikedef_robust
from critnb.report.figures.f09_chi import chi_curves
from critnb.report.figures.f10_nulls import null_compare
from critnb.report.figures.f11_ablations import ablations
from critnb.report.figures.f12_thresholds import threshold_sweep
from critnb.report.figures.f13_profiles import ShownProfiles, avalanche_profiles
from critnb.report.figures.f14_tails import ShownTails, tail_distributions
from critnb.report.figures.f15_knockouts import knockouts
from critnb.report.figures.f16_stability import stability

__all__ = [
    "ShownProfiles",
    "ShownTails",
    "ablations",
    "avalanche_profiles",
    "branching_curves",
    "chi_curves",
    "generalization",
    "gstar_selection",
    "knockouts",
    "null_compare",
    "null_delta",
    "pick_example",
    "raster_example",
    "rate_match",
    "spikedef_robust",
    "stability",
    "tail_distributions",
    "threshold_sweep",
]
