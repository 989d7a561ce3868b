"""Statistics of rasters, numpy and scipy only: branching, avalanches, tails, crackling, signatures, each with its null.

Sums per sequence come first and ratios last, so that pooling, null replicates and the sequence bootstrap all use the
same few numbers. A statistic that the data do not define is NaN, without a warning or an error.
"""

from critnb.criticality.bootstrap import Interval, multinomial_weights, percentile_interval
from critnb.criticality.branching import (
    Branching,
    BranchingSums,
    branching_sums,
    empty_sequences,
    expected_under_permutation,
)
from critnb.criticality.gstar import GstarChoice, select_gstar
from critnb.criticality.metrics import condition_metrics
from critnb.criticality.multistep import Multistep, along_depth, along_tokens, multistep
from critnb.criticality.null_sample import NullSample
from critnb.criticality.nulltest import NullComparison, compare, null_branching
from critnb.criticality.sizes.avalanches import EMPTY_SITE, Avalanches, find_avalanches, label_sites
from critnb.criticality.sizes.crackling import Crackling, crackling
from critnb.criticality.sizes.exponents import Exponents, exponents
from critnb.criticality.sizes.profiles import Profiles, profiles
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.criticality.summary import Summary, summarise
from critnb.criticality.susceptibility import chi
from critnb.criticality.tails import Histogram, TailFit, XminScan, fit_tail, ks_p_value, mle_exponent, scan_xmin

__all__ = [
    "EMPTY_SITE",
    "AvalancheSample",
    "Avalanches",
    "Branching",
    "BranchingSums",
    "Crackling",
    "Exponents",
    "GstarChoice",
    "Histogram",
    "Interval",
    "Lattice",
    "Multistep",
    "NullComparison",
    "NullSample",
    "Profiles",
    "Summary",
    "TailFit",
    "XminScan",
    "along_depth",
    "along_tokens",
    "branching_sums",
    "chi",
    "compare",
    "condition_metrics",
    "crackling",
    "empty_sequences",
    "expected_under_permutation",
    "exponents",
    "find_avalanches",
    "fit_tail",
    "ks_p_value",
    "label_sites",
    "mle_exponent",
    "multinomial_weights",
    "multistep",
    "null_branching",
    "percentile_interval",
    "profiles",
    "scan_xmin",
    "select_gstar",
    "summarise",
]
