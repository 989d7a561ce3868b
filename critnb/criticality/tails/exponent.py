"""The exponent of a discrete power law by maximum likelihood, for many samples at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.criticality.tails.powersums import log_moments, lowest_exponent

Floats = npt.NDArray[np.float64]

_ITERATIONS = 80
_TOLERANCE = 1e-10
# ln x is known to a few units in the last place; a mean that close to the support's end is at the end.
_ROUNDING = 8 * np.finfo(np.float64).eps


def mle_exponent(mean_log: npt.ArrayLike, *, xmin: npt.ArrayLike, xmax: npt.ArrayLike | None = None) -> Floats:
    """Return alpha of P(k) = k^-alpha / sum of j^-alpha over xmin..xmax, from the mean of ln k over a sample.

    The likelihood's maximum is where the law's mean of ln k equals the sample's (an exponential family), found by
    Newton's method inside a bracket. All arguments broadcast and the result has their common shape. xmax None: no upper
    end, and alpha > 1; else alpha is any real number. NaN where the mean is at or outside the ends of the support, where
    there is no support (xmin below 1 or above xmax, or one of them no whole number), and on supports longer than 64
    integers where alpha would be below -xmax/2 (nearly all values at xmax).
    """
    ends = (mean_log, xmin) if xmax is None else (mean_log, xmin, xmax)
    arrays = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in ends))
    mean, low, *high = (one.ravel() for one in arrays)
    top = high[0] if high else None
    alpha = np.full(mean.shape, np.nan)
    solvable = np.flatnonzero(_inside(mean, low, top))
    if solvable.size:
        alpha[solvable] = _solve(mean[solvable], low[solvable], None if top is None else top[solvable])
    return alpha.reshape(arrays[0].shape)


def _inside(mean: Floats, xmin: Floats, xmax: Floats | None) -> npt.NDArray[np.bool_]:
    slack = _ROUNDING * np.maximum(1.0, np.abs(mean))
    whole = np.isfinite(mean) & (xmin == np.floor(xmin))
    above: npt.NDArray[np.bool_] = whole & (xmin >= 1) & (mean - np.log(np.maximum(xmin, 1)) > slack)
    if xmax is not None:
        above &= (xmax == np.floor(xmax)) & (np.log(np.maximum(xmax, 1)) - mean > slack)
    return above


def _solve(mean: Floats, xmin: Floats, xmax: Floats | None) -> Floats:
    low, high = lowest_exponent(xmin, xmax), np.full_like(mean, np.inf)
    alpha = np.maximum(_first_guess(mean, xmin, xmax), np.where(np.isfinite(low), low + 1e-3, -np.inf))
    found = np.full_like(mean, np.nan)
    left = np.arange(len(mean))
    for _ in range(_ITERATIONS):
        at = log_moments(alpha[left], xmin[left], None if xmax is None else xmax[left])
        excess = at.mean - mean[left]
        low[left] = np.where(excess > 0, alpha[left], low[left])
        high[left] = np.where(excess > 0, high[left], alpha[left])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = excess / at.variance
        target = alpha[left] + step
        size = np.maximum(1.0, np.abs(alpha[left]))
        done = np.abs(step) <= size * np.maximum(_TOLERANCE, 1e-14 * size)
        found[left[done]] = target[done]
        inside = (target > low[left]) & (target < high[left])
        alpha[left] = np.where(inside, target, _between(low[left], high[left], alpha[left], size))
        left = left[~done]
        if not left.size:
            break
    return found


def _between(low: Floats, high: Floats, alpha: Floats, size: Floats) -> Floats:
    """Return a point inside the bracket: its middle, or a step of the exponent's own size where it is open."""
    left = np.where(np.isfinite(low), low, alpha - 2 * size)
    right = np.where(np.isfinite(high), high, alpha + 2 * size)
    return (left + right) / 2


def _first_guess(mean: Floats, xmin: Floats, xmax: Floats | None) -> Floats:
    """Return the exponent of a continuous law on xmin - 1/2 .. xmax + 1/2, or of the first two integers where steep."""
    excess = mean - np.log(xmin)
    gap = np.log1p(1 / xmin)
    steep = np.log1p(gap / np.maximum(excess, 1e-300)) / gap
    above_half = mean - np.log(xmin - 0.5)
    if xmax is None:
        return np.where(excess < gap, np.maximum(steep, 1.0 + 1e-3), 1 + 1 / above_half)
    reach = np.log((xmax + 0.5) / (xmin - 0.5))
    # The mean of a truncated exponential is a Langevin function of its rate; Kroeger's (2015) inverse errs by 0.3 %.
    x = 1 - 2 * above_half / reach
    inverse = x * (3 - (6 * x**2 + x**4 - 2 * x**6) / 5) / (1 - x**2)
    return np.where(excess < np.minimum(gap, reach / 8), steep, 1 + 2 * inverse / reach)
