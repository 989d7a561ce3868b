"""Crackling: how the mean size of avalanches grows with their duration, E[S|D] ~ D^gamma (Sethna, Dahmen and Myers 2001).

Almost any data have a slope in a log-log plot: independent sites of density 0.4 give 1.3 with r2 above 0.98. So the
result includes the points, the number of avalanches of each, and the interval over resampled sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.sizes.sample import AvalancheSample

Floats = npt.NDArray[np.float64]
_CONST = CANON.CONST


@dataclass(frozen=True, eq=False)
class Crackling:
    """The slope gamma with its interval and r2, NaN where not available, and then ``reason`` says why.

    durations, n, mean_size [K]: the points that the slope rests on. slopes [R]: gamma of each bootstrap replicate, NaN
    where a replicate lost too many points; ``dropped`` counts those.
    """

    gamma: float
    ci_low: float
    ci_high: float
    r2: float
    durations: npt.NDArray[np.int64]
    n: npt.NDArray[np.int64]
    mean_size: Floats
    slopes: Floats
    reason: str = ""

    @property
    def ci_width(self) -> float:
        """Width of the interval."""
        return self.ci_high - self.ci_low

    @property
    def dropped(self) -> int:
        """Number of replicates without a slope, where there is a slope at all."""
        return int(np.isnan(self.slopes).sum()) if not np.isnan(self.gamma) else 0

    @property
    def passed(self) -> bool:
        """Whether the interval is there, no wider than BOOTSTRAP_CI_WIDTH_MAX and not of width zero."""
        return 0 < self.ci_width <= _CONST.BOOTSTRAP_CI_WIDTH_MAX


def crackling(
    sample: AvalancheSample, weights: npt.NDArray[np.int64], *, among: npt.NDArray[np.int64] | None = None
) -> Crackling:
    """Return the least-squares slope of log E[S|D] on log D.

    Points are the durations in CRACKLING_D_RANGE, or those ``among`` the given ones, with at least
    CRACKLING_MIN_AVALANCHES_PER_POINT avalanches, each of the same weight; at least CRACKLING_MIN_POINTS of them. weights
    int64 [R, N]: how often each bootstrap replicate drew each sequence. A replicate keeps the points of which it still
    has an avalanche, and needs as many.
    """
    low, high = _CONST.CRACKLING_D_RANGE
    n = np.bincount(sample.duration, minlength=high + 1)[: high + 1]
    candidates = np.arange(low, high + 1) if among is None else among
    durations = candidates[n[candidates] >= _CONST.CRACKLING_MIN_AVALANCHES_PER_POINT]
    counts, sizes = _sums(sample, durations, weights.shape[1])
    mean_size = sizes.sum(axis=0) / counts.sum(axis=0)
    shown = durations, n[durations], mean_size
    if len(durations) < _CONST.CRACKLING_MIN_POINTS:
        return _not_available(shown, len(weights), _too_few(len(durations), among))
    log_d, log_s = np.log(durations), np.log(mean_size)
    gamma = float(_slopes(log_d, log_s[None])[0])
    r2 = float(np.corrcoef(log_d, log_s)[0, 1] ** 2) if np.ptp(log_s) > 0 else float("nan")
    slopes = _resampled(log_d, counts, sizes, weights)
    interval = percentile_interval(slopes)
    reason = (
        ""
        if np.isfinite(interval.low)
        else f"{int(interval.dropped)} of {len(slopes)} bootstrap replicates lost too many durations"
    )
    return Crackling(gamma, float(interval.low), float(interval.high), r2, *shown, slopes, reason)


def mean_size_slope(sizes: Floats, counts: Floats, durations: npt.NDArray[np.int64], *, min_points: int) -> Floats:
    """Return the slope [R] of log(sizes / counts) [R, K] on log durations [K] over the points with counts > 0.

    NaN where fewer than ``min_points`` are left.
    """
    log_s = np.full(counts.shape, np.nan)
    np.divide(sizes, counts, out=log_s, where=counts > 0)
    slopes = _slopes(np.log(durations), np.log(log_s, out=log_s, where=counts > 0))
    return np.where(np.count_nonzero(counts > 0, axis=1) >= min_points, slopes, np.nan)


def _sums(sample: AvalancheSample, durations: npt.NDArray[np.int64], n_sequences: int) -> tuple[Floats, Floats]:
    """Return the number and the summed sizes of avalanches per sequence and duration, each [N, K]."""
    place = np.searchsorted(durations, sample.duration)
    used = np.isin(sample.duration, durations)
    cell = sample.sequence[used] * len(durations) + place[used]
    shape = (n_sequences, len(durations))
    flat = (np.bincount(cell, weights=w, minlength=shape[0] * shape[1]) for w in (None, sample.size[used]))
    counts, sizes = (sums.astype(np.float64).reshape(shape) for sums in flat)
    return counts, sizes


def _resampled(log_d: Floats, counts: Floats, sizes: Floats, weights: npt.NDArray[np.int64]) -> Floats:
    drawn = weights.astype(np.float64)
    durations = np.exp(log_d)
    return mean_size_slope(drawn @ sizes, drawn @ counts, durations, min_points=_CONST.CRACKLING_MIN_POINTS)


def _slopes(x: Floats, y: Floats) -> Floats:
    """Return the least-squares slope of each row of y [R, K] on x [K], over the entries that are not NaN."""
    there = ~np.isnan(y)
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    dx = x - (there * x).sum(axis=1, keepdims=True) / n
    dy = np.where(there, y, 0.0) - np.where(there, y, 0.0).sum(axis=1, keepdims=True) / n
    spread = (there * dx**2).sum(axis=1)
    slopes = np.full(len(y), np.nan)
    np.divide((there * dx * dy).sum(axis=1), spread, out=slopes, where=spread > 0)
    return slopes


def _too_few(points: int, among: npt.NDArray[np.int64] | None) -> str:
    low, high = _CONST.CRACKLING_D_RANGE
    noun, verb = ("duration", "has") if points == 1 else ("durations", "have")
    which = f"{noun} in {low}..{high}" if among is None else "of the real raster's durations"
    least = _CONST.CRACKLING_MIN_AVALANCHES_PER_POINT
    return f"{points} {which} {verb} at least {least} avalanches, {_CONST.CRACKLING_MIN_POINTS} are needed"


def _not_available(
    shown: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats], replicates: int, reason: str
) -> Crackling:
    nan = float("nan")
    return Crackling(nan, nan, nan, nan, *shown, np.full(replicates, nan), reason)
