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
    """The gain with the largest chi and its 95 % interval over resampled sequences.

    at_grid_edge: it is the first or the last gain; spans_grid: the interval reaches from the first to the last.
    """

    gain: float
    ci_low: float
    ci_high: float
    at_grid_edge: bool
    spans_grid: bool

    @property
    def one_gain(self) -> bool:
        """Whether the grid has a single gain, in which nothing can be largest."""
        return self.spans_grid and self.ci_low == self.ci_high


def chi_peak(gains: Sequence[float], events: npt.NDArray[np.integer], weights: npt.NDArray[np.int64]) -> ChiPeak:
    """Return where chi of events [G, N] is largest over the gains [G]; ties go to the gain that comes first.

    weights int64 [R, N]: the sequence bootstrap. Where all gains have the same chi, as without any event, the interval is the
    whole grid.
    """
    grid, of_gains = np.asarray(gains, dtype=np.float64), chi(events)
    interval = percentile_interval(grid[chi(events, weights).argmax(axis=-1)])
    peak = float(grid[of_gains.argmax()])
    ends = float(grid.min()), float(grid.max())
    low, high = (float(interval.low), float(interval.high)) if np.ptp(of_gains) else ends
    return ChiPeak(peak, low, high, at_grid_edge=peak in ends, spans_grid=(low, high) == ends)
