"""Inputs whose answers are known before anything is measured on them: rasters, processes, cascades on the lattice.

What is known of each stands in its docstring and, as numbers, in ``critnb.criticality.closed_forms``.
"""

from critnb.criticality.synthetic.cascades import lattice_cascades
from critnb.criticality.synthetic.percolation import directed_percolation, percolation_cluster
from critnb.criticality.synthetic.periodic import periodic_cluster_counts
from critnb.criticality.synthetic.processes import Runs, driven_branching, poisson_branching, subsample
from critnb.criticality.synthetic.rasters import bernoulli, one_condition_raster, persistent_rows, toy_raster
from critnb.criticality.synthetic.samples import (
    discrete_exponential,
    discrete_power_law,
    power_law_with_cutoff,
    rounded_lognormal,
)

__all__ = [
    "Runs",
    "bernoulli",
    "directed_percolation",
    "discrete_exponential",
    "discrete_power_law",
    "driven_branching",
    "lattice_cascades",
    "one_condition_raster",
    "percolation_cluster",
    "periodic_cluster_counts",
    "persistent_rows",
    "poisson_branching",
    "power_law_with_cutoff",
    "rounded_lognormal",
    "subsample",
    "toy_raster",
]
