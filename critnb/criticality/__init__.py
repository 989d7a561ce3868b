"""Statistics of rasters, numpy and scipy only: branching and its nulls, avalanches, chi, g*, intervals, known answers.

Sums per sequence come first and ratios last, so that pooling, null replicates and the sequence bootstrap all work on
the same few numbers. What the data do not define is NaN, never a warning or a crash.
"""

from critnb.criticality.avalanches import EMPTY_SITE, Avalanches, find_avalanches, label_sites
from critnb.criticality.bootstrap import Interval, multinomial_weights, percentile_interval
from critnb.criticality.branching import (
    Branching,
    BranchingSums,
    branching_sums,
    diagonal_branching,
    empty_sequences,
    expected_under_permutation,
)
from critnb.criticality.gstar import GstarChoice, select_gstar
from critnb.criticality.metrics import condition_metrics
from critnb.criticality.null_sample import NullSample
from critnb.criticality.nulltest import NullComparison, compare, null_branching
from critnb.criticality.summary import Summary, summarise
from critnb.criticality.susceptibility import chi

__all__ = [
    "EMPTY_SITE",
    "Avalanches",
    "Branching",
    "BranchingSums",
    "GstarChoice",
    "Interval",
    "NullComparison",
    "NullSample",
    "Summary",
    "branching_sums",
    "chi",
    "compare",
    "condition_metrics",
    "diagonal_branching",
    "empty_sequences",
    "expected_under_permutation",
    "find_avalanches",
    "label_sites",
    "multinomial_weights",
    "null_branching",
    "percentile_interval",
    "select_gstar",
    "summarise",
]
