"""Laws fitted to a tail by maximum likelihood: what a fit is, the power law's exponent for many samples, the exponential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from critnb.criticality.tails.histogram import Histogram
from critnb.criticality.tails.powersums import log_moments, lowest_exponent

Floats = npt.NDArray[np.float64]

_ITERATIONS = 80
_TOLERANCE = 1e-10
# ln x is known to a few units in the last place; a mean that close to an end of the support is at the end.
_ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Fitted:
    """A law's parameters [1 or 2] and ln P of the sample's distinct values, float64 [U]."""

    parameters: tuple[float, ...]
    log_p: Floats

    @classmethod
    def missing(cls, parameters: int, sample: Histogram) -> Fitted:
        """Return a law of so many parameters that could not be fitted: NaN throughout."""
        return cls((np.nan,) * parameters, np.full(len(sample.values), np.nan))

    def log_likelihood(self, sample: Histogram) -> float:
        """Return the log-likelihood of the whole sample, in nats."""
        return float(sample.counts @ self.log_p)


def fit_power_law(sample: Histogram, xmin: int, xmax: int | None) -> tuple[Fitted, float]:
    """Fit P ~ k^-alpha; return it and alpha's standard error, (n Var ln k)^-1/2 by the Fisher information."""
    logs = np.log(sample.values)
    alpha = mle_exponent(sample.counts @ logs / sample.n, xmin=xmin, xmax=xmax)
    if not np.isfinite(alpha):
        return Fitted.missing(1, sample), np.nan
    law = log_moments(alpha[None], np.array([float(xmin)]), None if xmax is None else np.array([float(xmax)]))
    return Fitted((float(alpha),), -alpha * logs - law.log_sum), float((sample.n * law.variance[0]) ** -0.5)


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


def fit_exponential(sample: Histogram, xmin: int, xmax: int | None) -> Fitted:
    """Fit P ~ e^(-lambda k). On a bounded support lambda is any real number: a sample may rise towards xmax."""
    excess = float(sample.counts @ (sample.values - xmin)) / sample.n
    steps = None if xmax is None else xmax - xmin
    if excess <= 0 or (steps is not None and excess >= steps):
        return Fitted.missing(1, sample)
    if steps is None:
        rate = np.log1p(1 / excess)
    elif excess <= steps / 2:
        rate = _bounded_rate(excess, steps + 1)
    else:
        rate = -_bounded_rate(steps - excess, steps + 1)
    offset = sample.values - xmin
    return Fitted((float(rate),), -rate * offset - _log_geometric_sum(rate, steps))


def _bounded_rate(excess: float, count: int) -> float:
    """Return the rate >= 0 at which 0 .. count-1 have this mean, between 0 and the rate without an upper end."""
    top = float(np.log1p(1 / excess))
    if _bounded_mean(0.0, count) - excess <= 0:
        return 0.0
    if _bounded_mean(top, count) - excess >= 0:
        return top
    return float(brentq(lambda rate: _bounded_mean(rate, count) - excess, 0.0, top, xtol=1e-300, rtol=1e-14))


def _bounded_mean(rate: float, count: int) -> float:
    if rate * count < 1e-4:  # the two terms cancel; next term: (rate * count)^3 / 720 of count
        return (count - 1) / 2 - rate * (count**2 - 1) / 12
    with np.errstate(over="ignore"):
        return float(1 / np.expm1(rate) - count / np.expm1(rate * count))


def _log_geometric_sum(rate: float, steps: int | None) -> float:
    """Return ln of the sum of e^(-rate j) over j = 0 .. steps."""
    if steps is None:
        return float(-np.log(-np.expm1(-rate)))
    if rate == 0:
        return float(np.log(steps + 1))
    flipped = max(0.0, -rate * steps)
    return float(flipped + np.log(np.expm1(-abs(rate) * (steps + 1)) / np.expm1(-abs(rate))))
