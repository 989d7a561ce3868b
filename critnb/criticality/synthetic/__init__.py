"""Inputs whose statistics are known in advance: rasters, processes, samples, cascades on the lattice, and controls.

Each docstring states what is known; the numbers are in ``critnb.criticality.closed_forms``.
"""

from critnb.criticality.synthetic.cascades import lattice_cascades
from critnb.criticality.synthetic.controls import CONTROLS, NETWORKS, Control, NetworkControl, described
from critnb.criticality.synthetic.processes import (
    Runs,
    directed_percolation,
    driven_branching,
    percolation_cluster,
    poisson_branching,
    subsample,
)
from critnb.criticality.synthetic.rasters import (
    bernoulli,
    one_condition_raster,
    periodic_cluster_counts,
    persistent_rows,
    toy_raster,
)
from critnb.criticality.synthetic.samples import (
    discrete_exponential,
    discrete_power_law,
    power_law_with_cutoff,
    rounded_lognormal,
)

__all__ = [
    "CONTROLS",
    "NETWORKS",
    "Control",
    "NetworkControl",
    "Runs",
    "bernoulli",
    "described",
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
