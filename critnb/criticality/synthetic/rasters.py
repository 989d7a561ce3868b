"""Rasters whose branching and cluster numbers are known in advance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON, Adjacency, DatasetRole, Intervention, ModelRole, SpikeDef
from critnb.criticality.sizes.avalanches import find_avalanches
from critnb.errors import DataError
from critnb.lattice.conditions import Condition, ConditionTable
from critnb.lattice.raster import Raster

Occupancy = npt.NDArray[np.bool_]


def bernoulli(p: float, shape: tuple[int, ...], seed: int) -> Occupancy:
    """Return independent sites of density p: b_time = b_depth = p."""
    return np.random.default_rng(seed).random(shape) < p


def persistent_rows(density: float, autocorrelation: float, shape: tuple[int, ...], seed: int) -> Occupancy:
    """Return independent stationary two-state Markov rows along the last axis: b_time = p + r(1-p), b_depth = p.

    p is the density and r the autocorrelation at lag 1; raises DataError where no such chain exists.
    """
    stay, enter = density + autocorrelation * (1 - density), density * (1 - autocorrelation)
    if not (0 <= density <= 1 and 0 <= stay <= 1 and 0 <= enter <= 1):
        raise DataError(f"synthetic rows: density {density} and autocorrelation {autocorrelation} do not go together")
    uniform = np.random.default_rng(seed).random(shape)
    rows = np.empty(shape, dtype=np.bool_)
    rows[..., 0] = uniform[..., 0] < density
    for t in range(1, shape[-1]):
        rows[..., t] = uniform[..., t] < np.where(rows[..., t - 1], stay, enter)
    return rows


def toy_raster() -> Raster:
    """Return the toy raster (T = 4, L = 3, one event at (t, l) = (1, 1), (2, 1), (2, 2)): b_time 1/3, b_depth 1/2."""
    counts = np.zeros((1, 1, 3, 4), dtype=np.uint16)
    counts[0, 0, 1, 1] = counts[0, 0, 1, 2] = counts[0, 0, 2, 2] = 1
    return one_condition_raster(counts[0])


def one_condition_raster(counts: npt.NDArray[np.uint16]) -> Raster:
    """Return counts [N, L, T] as a raster of one baseline condition, windows numbered from zero."""
    condition = Condition(
        model_role=ModelRole.BASE,
        dataset_role=DatasetRole.A,
        spike_def_id=SpikeDef.SPIKE_ONE_SIDED_POS,
        target_rate=CANON.CONST.TARGET_LAYER_RATES[0],
        gain=CANON.CONST.GAIN_BASELINE,
        intervention_id=Intervention.MLP_GLOBAL,
    )
    return Raster(counts[None], ConditionTable([condition]), np.arange(len(counts), dtype=np.int32))


def periodic_cluster_counts(occupied: Occupancy, adjacency: Adjacency, largest: int) -> npt.NDArray[np.int64]:
    """Return how many clusters of 1 .. ``largest`` sites each of N periodic boxes bool [N, L, T] has: int64 [N, largest].

    Each box is repeated on all sides as far as such a cluster and its neighbours reach. Clusters are those of
    ``find_avalanches``; one is counted where its lowest layer and its first token lie in the box. Known, for independent
    sites: the mean is exactly L T times ``closed_forms.clusters_per_site``. L and T must exceed ``largest`` + 1.
    """
    margin = largest + 1
    continued = np.pad(occupied, ((0, 0), (margin, margin), (margin, margin)), mode="wrap").astype(np.uint16)
    found = find_avalanches(continued, np.arange(len(occupied), dtype=np.int32), adjacency)
    boxes, layers, tokens = occupied.shape
    counted = (found.area <= largest) & (found.l_min >= margin) & (found.l_min < margin + layers)
    counted &= (found.t_min >= margin) & (found.t_min < margin + tokens)
    cells = found.seq_id[counted] * largest + found.area[counted] - 1
    return np.bincount(cells, minlength=boxes * largest).reshape(boxes, largest)
