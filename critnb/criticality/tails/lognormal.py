"""The lognormal rounded to integers, by maximum likelihood on a truncated support.

P(k) is the integral over ln(k - 1/2) .. ln(k + 1/2) of a normal density, divided by that over the whole support: the
convention of Clauset, Shalizi and Newman (2009, table 2.1 and its code) and of the package ``powerlaw``. With
u = (ln x - mean of ln x) / (standard deviation of ln x) the density is e^(b u - c u^2) up to a factor: parameters
(b, c) stay finite where mu and sigma run away together, and integrals are taken of it directly, so no difference of
two nearly equal normal probabilities occurs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from critnb.criticality.tails.histogram import Histogram
from critnb.criticality.tails.laws import Fitted
from critnb.criticality.tails.newton import QuadraticModel, maximise

Floats = npt.NDArray[np.float64]

# Bounds of c. Lower: the law differs from a (rounded) power law by c u^2, 1e-9 nats at one standard deviation, and mu
# and sigma no longer say anything of their own. Upper: sigma a third of a bin's width.
_FLATTEST = 1e-9
_NARROWEST = 0.3
# Integrals leave out what lies so many nats below the maximum.
_DEPTH = 45.0
# Bins from here on are narrow: a rule with eight nodes in x is exact to rounding.
_NARROW_FROM = 32
_NARROW_RULE = np.polynomial.legendre.leggauss(8)
_WIDE_RULE = np.polynomial.legendre.leggauss(64)


class _Integrals(NamedTuple):
    """ln of integrals [K] of e^(b u - c u^2) and the means of u^1 .. u^4 under it, [4, K]."""

    log: Floats
    means: Floats


@dataclass(frozen=True, eq=False)
class _Bins:
    """The sample's distinct values as intervals of u: wide ones by their ends [W, 2], narrow ones by nodes [K, 8].

    log_weights: of the narrow ones, ln of the rule's weight times du/dx; support: the ends of the whole support.
    """

    wide: Floats
    nodes: Floats
    log_weights: Floats
    support: Floats

    @classmethod
    def of(cls, values: Floats, xmin: int, xmax: int | None, *, centre: float, scale: float) -> _Bins:
        wide, narrow = values[values < _NARROW_FROM], values[values >= _NARROW_FROM]
        shift = np.log1p(_NARROW_RULE[0] / (2 * narrow[:, None]))
        top = np.inf if xmax is None else xmax + 0.5
        return cls(
            wide=(np.log(wide[:, None] + np.array([-0.5, 0.5])) - centre) / scale,
            nodes=(np.log(narrow)[:, None] - centre + shift) / scale,
            log_weights=np.log(_NARROW_RULE[1] / (2 * scale)) - np.log(narrow)[:, None] - shift,
            support=(np.log(np.array([[xmin - 0.5, top]])) - centre) / scale,
        )

    def integrals(self, at: Floats) -> _Integrals:
        """Return the integrals over every bin, in ascending order of the values."""
        wide, narrow = _over_intervals(at, self.wide), _over_nodes(at, self.nodes, self.log_weights)
        return _Integrals(*(np.concatenate(pair, axis=-1) for pair in zip(wide, narrow, strict=True)))


def fit_lognormal(sample: Histogram, xmin: int, xmax: int | None) -> Fitted:
    """Fit the rounded lognormal on xmin..xmax; parameters (mu, sigma) of ln x.

    sigma is held between 0.3 bins at the smallest value (or at 32) and some 22000 standard deviations of ln x. At the
    upper bound |mu| grows with sigma^2 and the law is, to 1e-9 nats per value near the mean, a power law integrated over
    x +- 1/2. NaN where all values are equal.
    """
    logs = np.log(sample.values)
    centre = float(sample.counts @ logs) / sample.n
    scale = float(np.sqrt(sample.counts @ (logs - centre) ** 2 / sample.n))
    if len(sample.values) < 2:
        return Fitted.missing(2, sample)
    bins = _Bins.of(sample.values.astype(np.float64), xmin, xmax, centre=centre, scale=scale)
    share = sample.counts / sample.n
    narrowest = _NARROWEST / max(_NARROW_FROM, float(sample.values[0]))
    bounds = (_FLATTEST, max(2 * _FLATTEST, 0.5 * (scale / narrowest) ** 2))
    point = maximise(lambda at: _likelihood(at, bins, share), np.array([0.0, 0.5]), bounds)
    log_p = bins.integrals(point).log - _over_intervals(point, bins.support).log
    spread = 2 * point[1]
    return Fitted((float(centre + scale * point[0] / spread), float(scale / np.sqrt(spread))), log_p)


def _likelihood(at: Floats, bins: _Bins, share: Floats) -> QuadraticModel:
    """Return the mean log-likelihood at (b, c), for shares [U] of the distinct values.

    The Hessian is the mean of the variances within the bins less the variance over the support; where that is not
    negative definite the second term alone serves, as in Fisher's scoring.
    """
    inside, whole = bins.integrals(at), _over_intervals(at, bins.support)
    (first, second), within = _statistics(inside.means), _covariance(inside.means) @ share
    (all_first, all_second), across = _statistics(whole.means), _covariance(whole.means)[..., 0]
    curvature = across - within
    if not (np.linalg.det(curvature) > 0 and curvature[0, 0] > 0):
        curvature = across
    return QuadraticModel(
        value=float(share @ inside.log - whole.log[0]),
        gradient=np.array([share @ first - all_first[0], share @ second - all_second[0]]),
        curvature=curvature,
    )


def _statistics(means: Floats) -> tuple[Floats, Floats]:
    """Return the means of (u, -u^2), whose factors b and c are."""
    return means[0], -means[1]


def _covariance(means: Floats) -> Floats:
    """Return the covariance [2, 2, K] of (u, -u^2)."""
    cross = -(means[2] - means[0] * means[1])
    return np.array([[means[1] - means[0] ** 2, cross], [cross, means[3] - means[1] ** 2]])


def _over_nodes(at: Floats, nodes: Floats, log_weights: Floats) -> _Integrals:
    exponent = nodes * (at[0] - at[1] * nodes) + log_weights
    top = exponent.max(axis=1, initial=-np.inf)
    share = np.exp(exponent - top[:, None])
    total = share.sum(axis=1)
    means = np.empty((4, len(total)))
    for power in range(4):
        share *= nodes
        means[power] = share.sum(axis=1)
    return _Integrals(top + np.log(total), means / total)


def _over_intervals(at: Floats, ends: Floats) -> _Integrals:
    """Integrate over intervals ``ends`` [K, 2], each cut to where the integrand is within e^-_DEPTH of its maximum."""
    low, high = ends[:, 0], ends[:, 1]
    mode = at[0] / (2 * at[1])
    peak = np.clip(mode, low, high)
    beside = np.abs(mode - peak)
    # depth = c (t^2 + 2 t beside), solved for t without cancellation
    reach = _DEPTH / at[1] / (beside + np.sqrt(beside**2 + _DEPTH / at[1]))
    low, high = np.maximum(low, peak - reach), np.minimum(high, peak + reach)
    half = (high - low)[:, None] / 2
    nodes = (low + high)[:, None] / 2 + half * _WIDE_RULE[0]
    return _over_nodes(at, nodes, np.log(half * _WIDE_RULE[1]))
