"""A law fitted to a tail, and the two whose sums have a closed form or nearly so: power law and exponential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from critnb.criticality.tails.exponent import mle_exponent
from critnb.criticality.tails.histogram import Histogram
from critnb.criticality.tails.powersums import log_moments

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A law's parameters [1 or 2] and ln P of the sample's distinct values, float64 [U]."""

    parameters: tuple[float, ...]
    log_p: Floats

    @classmethod
    def missing(cls, parameters: int, sample: Histogram) -> Fitted:
        """Return a law that could not be fitted: NaN throughout."""
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
