"""Heavy tails of integers: exact discrete likelihoods on a bounded support, the KS-optimal xmin, and tests.

A sample of sizes or durations enters as a ``Histogram``. Every law is normalised over the integers xmin..xmax that the
lattice allows; nothing is approximated by a continuous formula.
"""

from critnb.criticality.tails.fit import TailFit, fit_tail
from critnb.criticality.tails.histogram import Histogram
from critnb.criticality.tails.laws import mle_exponent
from critnb.criticality.tails.pvalue import ks_p_value
from critnb.criticality.tails.scan import Excluded, XminScan, excluded, scan_xmin

__all__ = [
    "Excluded",
    "Histogram",
    "TailFit",
    "XminScan",
    "excluded",
    "fit_tail",
    "ks_p_value",
    "mle_exponent",
    "scan_xmin",
]
