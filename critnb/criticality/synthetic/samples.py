"""Samples of integers from the laws that tails are fitted with: the known answers of ``critnb.criticality.tails``.

Each is drawn in its own way (rejection, rounding, a table), not through the sums that the fits use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from critnb.errors import DataError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Without an upper end values stop where float64 no longer holds every integer.
_LARGEST = 2**53
# e^-40 is the share that a table of a law without an upper end leaves out.
_NEGLIGIBLE = 40.0
_LONGEST_TABLE = 10**8


def discrete_power_law(alpha: float, n: int, *, xmin: int = 1, xmax: int | None = None, seed: int) -> Integers:
    """Return n values of P(k) = k^-alpha / sum of j^-alpha over xmin..xmax; without xmax values above 2^53 are left out.

    By rejection from the continuous law rounded to integers: k^-alpha is convex, so it lies below its mean over
    k - 1/2 .. k + 1/2, and the quotient is the chance to keep k. Raises DataError for alpha < 0 and, without xmax,
    alpha <= 1.
    """
    _check(xmin, xmax)
    if alpha < 0 or (xmax is None and alpha <= 1):
        raise DataError(f"synthetic sample: exponent {alpha:g} needs to be at least 0, and above 1 without xmax")
    low, high = xmin - 0.5, (_LARGEST if xmax is None else xmax) + 0.5
    slope = 1 - alpha

    def propose(rng: np.random.Generator, size: int) -> Floats:
        value: Floats = np.clip(np.round(_power_inverse(rng.random(size), low, high, slope)), xmin, high - 0.5)
        return value[rng.random(size) * _mean_near(value, slope) < 1]

    return _until(n, propose, seed)


def power_law_with_cutoff(
    alpha: float, rate: float, n: int, *, xmin: int = 1, xmax: int | None = None, seed: int
) -> Integers:
    """Return n values of P(k) ~ k^-alpha e^(-rate k) on xmin..xmax, from a table.

    Raises DataError for rate <= 0 and where the table would be longer than 10^8.
    """
    _check(xmin, xmax)
    if rate <= 0:
        raise DataError(f"synthetic sample: a cutoff needs a rate above 0, not {rate:g}")
    far = xmin + _NEGLIGIBLE / rate * max(1.0, 1 - alpha)
    last = far if xmax is None else min(far, xmax)
    if last - xmin > _LONGEST_TABLE:
        raise DataError(f"synthetic sample: a cutoff at rate {rate:g} is too far out for a table")
    k = np.arange(xmin, int(last) + 1, dtype=np.float64)
    weight = -alpha * np.log(k) - rate * k
    cumulative = np.cumsum(np.exp(weight - weight.max()))
    uniform = np.random.default_rng(seed).random(n)
    return _as_integers(xmin + np.searchsorted(cumulative, uniform * cumulative[-1], side="right"), xmin, xmax)


def discrete_exponential(rate: float, n: int, *, xmin: int = 1, xmax: int | None = None, seed: int) -> Integers:
    """Return n values of P(k) ~ e^(-rate k) on xmin..xmax, by inversion; raises DataError for rate <= 0."""
    _check(xmin, xmax)
    if rate <= 0:
        raise DataError(f"synthetic sample: an exponential needs a rate above 0, not {rate:g}")
    whole = 1.0 if xmax is None else -np.expm1(-rate * (xmax - xmin + 1))
    value = xmin + np.floor(-np.log1p(-np.random.default_rng(seed).random(n) * whole) / rate)
    return _as_integers(value, xmin, xmax)


def rounded_lognormal(
    mu: float, sigma: float, n: int, *, xmin: int = 1, xmax: int | None = None, seed: int
) -> Integers:
    """Return n rounded values of e^(mu + sigma z), z normal, given that they lie in xmin..xmax.

    Raises DataError for sigma <= 0 and where hardly any value falls into xmin..xmax.
    """
    _check(xmin, xmax)
    if sigma <= 0:
        raise DataError(f"synthetic sample: a lognormal needs sigma above 0, not {sigma:g}")
    ends = (np.log(np.array([xmin - 0.5, (_LARGEST if xmax is None else xmax) + 0.5])) - mu) / sigma
    sign = -1.0 if ends[0] > 0 else 1.0  # the tail of the smaller probabilities keeps its digits
    low, high = np.sort(ndtr(sign * ends))
    if not high - low > 1e-300:
        raise DataError(f"synthetic sample: a lognormal of mu {mu:g}, sigma {sigma:g} has no values from {xmin} on")
    normal = sign * ndtri(low + (high - low) * np.random.default_rng(seed).random(n))
    value = np.round(np.exp(mu + sigma * normal))
    return _as_integers(value, xmin, xmax)


def _check(xmin: int, xmax: int | None) -> None:
    if xmin < 1 or (xmax is not None and xmax < xmin):
        raise DataError(f"synthetic sample: the support {xmin}..{xmax} is not one of positive integers")


def _as_integers(value: Floats | Integers, xmin: int, xmax: int | None) -> Integers:
    drawn: Integers = np.clip(value, xmin, _LARGEST if xmax is None else xmax).astype(np.int64)
    return drawn


def _power_inverse(uniform: Floats, low: float, high: float, slope: float) -> Floats:
    """Invert the distribution function of x^(slope - 1) on low..high."""
    reach = np.log(high / low)
    log = uniform * reach if slope == 0 else np.log1p(uniform * np.expm1(slope * reach)) / slope
    inverse: Floats = low * np.exp(log)
    return inverse


def _mean_near(value: Floats, slope: float) -> Floats:
    """Return the mean of (x / value)^(slope - 1) over value - 1/2 .. value + 1/2."""
    above, below = np.log1p(1 / (2 * value)), np.log1p(-1 / (2 * value))
    mean: Floats = value * (
        above - below if slope == 0 else (np.expm1(slope * above) - np.expm1(slope * below)) / slope
    )
    return mean


def _until(n: int, propose: Callable[[np.random.Generator, int], Floats], seed: int) -> Integers:
    """Propose until n values are kept."""
    rng = np.random.default_rng(seed)

    def parts() -> Iterator[Floats]:
        kept = 0
        while kept < n:
            part = propose(rng, 2 * (n - kept) + 16)
            kept += len(part)
            yield part

    return np.concatenate([np.zeros(0), *parts()])[:n].astype(np.int64)
