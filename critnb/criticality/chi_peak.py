"""The gain at which the susceptibility is largest, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.susceptibility import chi


@dataclass(frozen=True)
class ChiPeak:
    """The gain with the largest chi, its 95 % interval over resampled sequences, and whether it ends the grid."""

    gain: float
    ci_low: float
    ci_high: float
    at_grid_edge: bool


def chi_peak(gains: Sequence[float], events: npt.NDArray[np.integer], weights: npt.NDArray[np.int64]) -> ChiPeak:
    """Return where chi of events [G, N] is largest over the gains [G]; ties go to the gain that comes first.

    weights int64 [R, N]: the sequence bootstrap.
    """
    grid = np.asarray(gains, dtype=np.float64)
    interval = percentile_interval(grid[chi(events, weights).argmax(axis=-1)])
    peak = float(grid[chi(events).argmax()])
    return ChiPeak(peak, float(interval.low), float(interval.high), peak in (grid.min(), grid.max()))
