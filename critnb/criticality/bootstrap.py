"""The sequence bootstrap: one matrix of multinomial weights, applied to per-sequence sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.lattice.randomness import below, root_key, words

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Interval:
    """A percentile interval, float64 [...]; NaN where too many replicates, ``dropped`` int64 [...], had no value."""

    low: Floats
    high: Floats
    dropped: npt.NDArray[np.int64]


def multinomial_weights(n: int, replicates: int, seed: int) -> npt.NDArray[np.int64]:
    """Return int64 [R, n]: how often each of n units is drawn in n draws with replacement, per replicate.

    Drawn from the pack's own counter-based words, so that no version of numpy changes an interval.
    """
    keys = words(root_key(seed, b"bootstrap"), np.arange(replicates))
    drawn = below(words(keys[:, None], np.arange(n)), n)
    cells = drawn + n * np.arange(replicates)[:, None]
    return np.bincount(cells.ravel(), minlength=replicates * n).astype(np.int64).reshape(replicates, n)


def percentile_interval(values: Floats, level: float = 0.95, *, min_kept: float = 0.9) -> Interval:
    """Return the central percentile interval over replicates, the first axis of values [R, ...].

    NaN replicates (a statistic that a resample does not define) are left out and counted; where less than the share
    ``min_kept`` is left the interval is NaN. Percentiles interpolate linearly between order statistics.
    """
    ordered = np.sort(values, axis=0)  # NaN sorts last
    kept = np.count_nonzero(~np.isnan(values), axis=0)
    enough = kept >= max(2.0, min_kept * len(values))
    low, high = (_order_statistic(ordered, kept, share) for share in ((1 - level) / 2, (1 + level) / 2))
    return Interval(np.where(enough, low, np.nan), np.where(enough, high, np.nan), np.asarray(len(values) - kept))


def between_windows(replicates: Floats, weights: npt.NDArray[np.int64]) -> Floats:
    """Return replicates [R, ...] that weights [R, N] gave; NaN where N = 1, since one window does not tell how windows differ."""
    return replicates if weights.shape[-1] > 1 else np.full_like(replicates, np.nan)


def paired_difference(values: Floats, replicates: Floats, *, first: int, second: int) -> tuple[float, float, float]:
    """Return a statistic of condition ``second`` minus that of ``first``, and the ends of the paired 95 % interval.

    values [C]; replicates [R, C], each of the same resampled sequences in every condition.
    """
    interval = percentile_interval(replicates[:, second] - replicates[:, first])
    return float(values[second] - values[first]), float(interval.low), float(interval.high)


def _order_statistic(ordered: Floats, kept: npt.NDArray[np.int64], share: float) -> Floats:
    place = share * np.maximum(np.asarray(kept) - 1, 0)
    below_place = np.floor(place).astype(np.intp)
    above = np.minimum(below_place + 1, np.maximum(np.asarray(kept) - 1, 0)).astype(np.intp)
    left, right = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (below_place, above))
    statistic: Floats = left + (place - below_place) * (right - left)
    return statistic
