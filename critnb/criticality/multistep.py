"""Multistep regression: the branching parameter from how correlation decays with the lag (Wilting and Priesemann 2018).

Of a branching process of parameter m with a constant drive, the slope of the regression of x[p+k] on x[p] is
r_k = b m^k, where b falls below one when only a part of the events is seen. So one slope underestimates m, and the decay
of many does not. Sequences of different mean activity add a constant c to every slope: r_k = b m^k + c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.lagfit import at_lower_end, at_upper_end, fit_lags, least_lags
from critnb.errors import DataError

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.int64]

# A variance below this share of the sum of squares that it is left of, or a deviation below this share of the activity, is
# the rounding error of a constant.
_ROUNDING = 1e-12
# b is at most one; of a process that forgets within a few lags it is known badly, and its interval can lie a little above.
_LARGEST_B = 1.5
_NO_VARIANCE = "the activity does not vary about its mean"
_NO_CORRELATION = {
    True: "no correlation that decays with the lag, beyond what sequences share",
    False: "no positive correlation",
}


class Centre(StrEnum):
    """What is taken off the activity: the mean of its position, or one mean over all positions that a lag pairs."""

    POSITION = "position"
    POOLED = "pooled"


@dataclass(frozen=True, eq=False)
class Multistep:
    """r_k = b m^k + c fitted to the slopes r [K] at lags [K], with the interval of m; NaN where not available.

    m: branching parameter; r1: the slope at lag 1, which is what a naive ratio reports, with an interval of its own;
    dropped: replicates of the bootstrap without a value. Where m is not available, m, its interval, b and c are NaN and
    ``reason`` says why.
    """

    m: float
    m_ci_low: float
    m_ci_high: float
    b: float
    c: float
    r1: float
    r1_ci_low: float
    r1_ci_high: float
    lags: npt.NDArray[np.int64]
    r: Floats
    dropped: int
    available: bool
    reason: str = ""


def along_tokens(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return activity per token, summed over layers, as [N, 1, T], of one condition's counts [N, L, T]."""
    summed: npt.NDArray[Any] = counts.sum(axis=1, keepdims=True, dtype=np.int64)
    return summed


def along_depth(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the counts of each token along the layers, as [N, T, L], of one condition's counts [N, L, T]."""
    return counts.swapaxes(1, 2)


def default_max_lag(positions: int) -> int:
    """Return the largest lag that is fitted by default: all that two pairs of positions support, up to MULTISTEP_MAX_LAG."""
    return max(0, min(CANON.CONST.MULTISTEP_MAX_LAG, positions - 2))


def correlation_length(m: float) -> float:
    """Return -1 / ln m, the distance over which a correlation of m^k falls to 1/e; infinite from m = 1 on, NaN at NaN."""
    if not m < 1:
        return float("nan") if math.isnan(m) else math.inf
    return -1 / math.log(m)


def lag_slopes(
    activity: npt.NDArray[Any], max_lag: int, *, centre: Centre = Centre.POSITION, weights: Weights | None = None
) -> Floats:
    """Return the slopes r_k, k = 1..max_lag, of activity [N, M, P]: [K], or [R, K] under weights [R, N] of sequences.

    r_k is the sum of (x[p] - mean)(x[p+k] - mean) over all pairs, sequences and trials, over the sum of squares of the
    earlier member. Weights say how often each sequence counts, in the means too, so a row of them gives what the
    repeated sequences would give. NaN where the earlier positions do not vary.

    Raises:
        DataError: max_lag is not in 1 .. P - 1, or the activity or the weights have another shape.
    """
    if activity.ndim != 3 or not 1 <= max_lag < activity.shape[2]:
        raise DataError(
            f"multistep regression: no lags 1 to {max_lag} in activity of shape {activity.shape}, [N, M, P]"
        )
    if weights is not None and weights.shape[1:] != activity.shape[:1]:
        raise DataError(f"multistep regression: weights {weights.shape} for {activity.shape[0]} sequences")
    shares = np.ones((1, len(activity))) if weights is None else weights.astype(np.float64)
    # Slopes do not change when each position is shifted by a constant; near zero the sums lose no digits.
    axes = (0, 1) if centre is Centre.POSITION else (0, 1, 2)
    near_zero = activity - activity.mean(axis=axes, keepdims=True, dtype=np.float64)
    products, squares = _lag_sums(near_zero, max_lag)
    correct = _position_means if centre is Centre.POSITION else _pooled_means
    of_means, of_squared_means = correct(near_zero, shares, max_lag)
    covariance, variance = shares @ products - of_means, shares @ squares - of_squared_means
    slopes = np.full(covariance.shape, np.nan)
    of_activity = np.einsum("nmp,nmp->", activity, activity, dtype=np.float64)
    rounding = _ROUNDING * (shares @ squares) + _ROUNDING**2 * of_activity
    np.divide(covariance, variance, out=slopes, where=variance > rounding)
    return slopes[0] if weights is None else slopes


def _lag_sums(x: Floats, max_lag: int) -> tuple[Floats, Floats]:
    """Return per sequence [N, K] the sums over trials and pairs of x[p] x[p+k], and of x[p]^2 of the earlier members."""
    positions = x.shape[2]
    products = np.stack([np.einsum("nmp,nmp->n", x[..., :-k], x[..., k:]) for k in range(1, max_lag + 1)], axis=1)
    up_to = np.cumsum(np.einsum("nmp,nmp->np", x, x), axis=1)
    return products, up_to[:, positions - 1 - np.arange(1, max_lag + 1)]


def _position_means(x: Floats, shares: Floats, max_lag: int) -> tuple[Floats, Floats]:
    """Return [R, K] what products and squares lose when each position's mean is taken off."""
    positions, trials = x.shape[2], shares.sum(axis=1, keepdims=True) * x.shape[1]
    total = shares @ x.sum(axis=1)
    lags = range(1, max_lag + 1)
    products = np.stack([np.einsum("rp,rp->r", total[:, :-k], total[:, k:]) for k in lags], axis=1)
    squares = np.cumsum(total**2, axis=1)[:, positions - 1 - np.array(lags)]
    return products / trials, squares / trials


def _pooled_means(x: Floats, shares: Floats, max_lag: int) -> tuple[Floats, Floats]:
    """Return [R, K] what products and squares lose when the mean of all earlier, and of all later, members is off."""
    positions, lags = x.shape[2], np.arange(1, max_lag + 1)
    up_to = np.cumsum(shares @ x.sum(axis=1), axis=1)
    earlier, later = up_to[:, positions - 1 - lags], up_to[:, -1:] - up_to[:, lags - 1]
    pairs = shares.sum(axis=1, keepdims=True) * x.shape[1] * (positions - lags)
    return earlier * later / pairs, earlier**2 / pairs


def multistep(
    activity: npt.NDArray[Any],
    *,
    weights: Weights,
    max_lag: int | None = None,
    offset: bool = True,
    centre: Centre = Centre.POSITION,
) -> Multistep:
    """Fit r_k = b m^k (+ c with ``offset``) to the slopes of activity [N, M, P], k = 1..max_lag, with m's interval.

    weights int64 [R, N] of ``multinomial_weights``: the bootstrap draws whole sequences anew. max_lag is by default
    that of ``default_max_lag``. However wide, an interval does not make m unavailable: that is for the caller to judge.
    Source: Wilting and Priesemann 2018, Nature Communications 9, 2325; Spitzner et al. 2021, PLoS ONE 16, e0249447.

    Raises:
        DataError: max_lag is not below P, or weights are not of N sequences.
    """
    lags = np.arange(1, (default_max_lag(activity.shape[2]) if max_lag is None else max_lag) + 1)
    nothing = np.full(len(lags), np.nan)
    missing = _missing(activity, len(lags), offset)
    if missing:
        return _not_available(lags, nothing, nothing[None], missing)
    slopes = lag_slopes(activity, len(lags), centre=centre)
    if np.isnan(slopes).any():
        return _not_available(lags, slopes, nothing[None], _NO_VARIANCE)
    resampled = lag_slopes(activity, len(lags), centre=centre, weights=weights)
    fitted = fit_lags(np.vstack([slopes, resampled]), offset=offset)
    m, b, c = (float(values[0]) for values in fitted)
    again = [values[1:] for values in fitted]
    interval = percentile_interval(again[0])
    reason = _NO_CORRELATION[offset] if np.isnan(m) else ""
    if not reason and np.isnan(interval.low):
        flat = np.count_nonzero(np.isnan(resampled).any(axis=1))
        what = _NO_VARIANCE if 2 * flat > int(interval.dropped) else _NO_CORRELATION[offset]
        reason = f"{what} in {int(interval.dropped)} of {len(weights)} resamples of the sequences"
    reason = reason or _no_branching(m, b, len(lags), float(percentile_interval(again[1]).low))
    if reason:
        return _not_available(lags, slopes, resampled, reason, int(interval.dropped))
    r1 = percentile_interval(resampled[:, 0])
    return Multistep(
        m, float(interval.low), float(interval.high), b, c, float(slopes[0]), float(r1.low), float(r1.high), lags, slopes,
        int(interval.dropped), available=True,
    )  # fmt: skip


def _no_branching(m: float, b: float, lags: int, b_low: float) -> str:
    """Say in words why slopes are not those of a branching process; empty where they may be.

    b = p / (p + (1 - p) (1 - m^2)) <= 1 for every share p of the events that is seen.
    """
    if at_lower_end(m):
        return "the correlation is gone after one lag, so there is no decay to fit"
    if at_upper_end(m):
        return f"the correlation does not decay over {lags} lags"
    if b_low > _LARGEST_B:
        return f"b = {b:.1f} is above one, which no branching process gives: a trend, a jump, or a decay within one lag"
    return ""


def _missing(activity: npt.NDArray[Any], lags: int, offset: bool) -> str:
    """Say in words what a fit lacks; empty where nothing is."""
    sequences, trials, positions = activity.shape
    if min(sequences, trials, positions) == 0:
        return "there is no activity array to regress: an axis is empty"
    if lags < (least := least_lags(offset=offset)):
        return f"the fit needs {least} lags, and the number of positions ({positions}) gives {lags}"
    if not activity.any():
        return "there is no event"
    if sequences < 2:
        return "one sequence: no other to take a mean, or an interval, from"
    return ""


def _not_available(
    lags: npt.NDArray[np.int64], slopes: Floats, resampled: Floats, reason: str, dropped: int = 0
) -> Multistep:
    nan = float("nan")
    r1, low, high = nan, nan, nan
    if len(slopes) and not np.isnan(slopes[0]):
        interval = percentile_interval(resampled[:, 0])
        r1, low, high = float(slopes[0]), float(interval.low), float(interval.high)
    return Multistep(nan, nan, nan, nan, nan, r1, low, high, lags, slopes, dropped, available=False, reason=reason)
