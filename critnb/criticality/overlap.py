"""How far the two spike definitions see the same events: where they see the same, agreement between them says nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from critnb.canon import SpikeDef
from critnb.lattice.planes import Counts
from critnb.lattice.raster import Raster

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Overlap:
    """How counts A compare with A' of the other spike definition, each [C]; NaN where that was not measured.

    shared: the sum over sites of min(A, A') over that of max(A, A'), 1 for one and the same raster (an empty one, too) and 0
    for two that share no event. apart: the sites where A and A' differ.
    """

    shared: Floats
    apart: Floats


def spike_def_overlap(raster: Raster) -> Overlap:
    """Compare each condition with the same condition under the other spike definition."""
    found = [_compare(raster, cond_id) for cond_id in range(len(raster.conditions))]
    return Overlap(*np.array(found, dtype=np.float64).reshape(-1, 2).T)


def _compare(raster: Raster, cond_id: int) -> tuple[float, float]:
    condition = raster.conditions[cond_id]
    others = [replace(condition, spike_def_id=kind) for kind in SpikeDef if kind is not condition.spike_def_id]
    for other in others:
        if other in raster.conditions:
            return _shared(raster.counts[cond_id], raster.counts[raster.conditions.index(other)])
    return float("nan"), float("nan")


def _shared(one: Counts, other: Counts) -> tuple[float, float]:
    """Return the overlap of two planes of counts [N, L, T], and the number of sites where they differ."""
    either = int(np.maximum(one, other).sum(dtype=np.int64))
    both = int(np.minimum(one, other).sum(dtype=np.int64))
    return both / either if either else 1.0, float(np.count_nonzero(one != other))
