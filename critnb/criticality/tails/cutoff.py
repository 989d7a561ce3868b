"""The power law with an exponential cutoff, k^-alpha e^(-lambda k), by maximum likelihood.

Its sums run over few integers with weights that stand for very many, exact for sums over short supports. Away from the
ends of the support the integers are cut into blocks that double in length with the distance from the nearer end, and each
block is summed by the Gauss rule of its integers: the rule whose orthogonal polynomials are those of the discrete uniform
measure (discrete Chebyshev polynomials, Szegoe 1975, section 2.8; nodes and weights as eigenvalues, Golub and Welsch
1969). So the same nodes sum every smooth function, with no end corrections, and steep functions are resolved at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from critnb.criticality.tails.histogram import Histogram
from critnb.criticality.tails.laws import Fitted
from critnb.criticality.tails.newton import QuadraticModel, maximise
from critnb.criticality.tails.powersums import log_moments, lowest_exponent

Floats = npt.NDArray[np.float64]

# At HORIZON e^(-lambda k) must have fallen by so many nats.
_VANISHED = 50.0
_FINER_ORDER = 36
_AGREEMENT = 1e-9
_ROUNDING = 1e-12
# Supports up to this length are summed integer by integer.
_EXACT = 2048
_END = 64
_ORDER = 24
# Without an upper end the nodes reach so far; a summand must have vanished there.
HORIZON = 2.0**60


def fit_cutoff(sample: Histogram, xmin: int, xmax: int | None, power_law: Fitted) -> Fitted:
    """Fit P ~ k^-alpha e^(-lambda k), lambda >= 0 and alpha any real number; parameters (alpha, lambda).

    An exponential family in (ln k, k), so its likelihood is concave: where the slope in lambda at the fitted power law
    is not positive, lambda is zero and the law is the power law, exactly. Without xmax the smallest lambda that
    differs from zero is 4e-17. NaN where the fitted law is so narrow, far from both ends, that its sum errs by over 1e-9.
    """
    values = sample.values.astype(np.float64)
    mean = np.array([sample.counts @ np.log(values), sample.counts @ values]) / sample.n
    (alpha,) = power_law.parameters
    at_zero = Fitted((alpha, 0.0), power_law.log_p)
    if _mean_value(alpha, xmin, xmax) <= mean[1] * (1 + _ROUNDING):
        return at_zero
    nodes, finer = summation_nodes(xmin, xmax), summation_nodes(xmin, xmax, order=_FINER_ORDER)
    statistics = _statistics(nodes.points, mean)
    least = mean[1] * _VANISHED / HORIZON if xmax is None else 0.0
    start = np.array([alpha, mean[1] / values[-1]])
    point = maximise(lambda at: _likelihood(at, statistics, nodes.weights), start, (least, np.inf))
    log_sum = _log_sum(point, statistics, nodes.weights)
    if abs(_log_sum(point, _statistics(finer.points, mean), finer.weights) - log_sum) > _AGREEMENT:
        return Fitted.missing(2, sample)
    found = Fitted((float(point[0]), float(point[1] / mean[1])), -point @ _statistics(values, mean) - log_sum)
    # Where lambda is as good as zero, rounding must not make the wider law the worse one.
    return found if found.log_likelihood(sample) > power_law.log_likelihood(sample) else at_zero


def _mean_value(alpha: float, xmin: int, xmax: int | None) -> float:
    """Return the power law's mean of k, infinite without xmax for alpha <= 2 and where its sum is out of reach."""
    low, top = np.array([float(xmin)]), None if xmax is None else np.array([float(xmax)])
    if alpha - 1 <= lowest_exponent(low, top)[0]:
        return np.inf
    above, below = (log_moments(np.array([at]), low, top).log_sum[0] for at in (alpha - 1, alpha))
    return float(np.exp(above - below))


def _statistics(points: Floats, mean: Floats) -> Floats:
    """Return [2, Q]: ln k and k, less the sample's means and the second in units of it, so that no digits cancel."""
    return np.stack([np.log(points) - mean[0], points / mean[1] - 1])


def _log_sum(at: Floats, statistics: Floats, weights: Floats) -> float:
    summands = -at @ statistics
    top = summands.max()
    return float(top + np.log(weights @ np.exp(summands - top)))


def _likelihood(at: Floats, statistics: Floats, weights: Floats) -> QuadraticModel:
    """Return the mean log-likelihood at (alpha, lambda * mean of k)."""
    summands = -at @ statistics
    top = summands.max()
    share = weights * np.exp(summands - top)
    total = share.sum()
    share /= total
    gradient = statistics @ share
    centred = statistics - gradient[:, None]
    return QuadraticModel(float(-top - np.log(total)), gradient, (centred * share) @ centred.T)


@dataclass(frozen=True, eq=False)
class Nodes:
    """Points float64 [Q] and weights float64 [Q]: the sum of f over the support is weights @ f(points)."""

    points: Floats
    weights: Floats


@lru_cache(maxsize=64)
def summation_nodes(xmin: int, xmax: int | None, order: int = _ORDER) -> Nodes:
    """Return the nodes of xmin..xmax; without xmax up to HORIZON, beyond which a summand must be negligible."""
    if xmax is not None and xmax - xmin < _EXACT:
        points = np.arange(xmin, xmax + 1, dtype=np.float64)
        return Nodes(points, np.ones_like(points))
    count = HORIZON if xmax is None else (xmax - xmin + 1) // 2
    lower, weights = _from_end(float(count), order)
    parts = [xmin + lower]
    if xmax is not None:
        upper, more = _from_end(float(xmax - xmin + 1 - count), order)
        parts.append(xmax - upper[::-1])
        weights = np.concatenate([weights, more[::-1]])
    return Nodes(np.concatenate(parts), weights)


def _from_end(count: float, order: int) -> tuple[Floats, Floats]:
    """Return nodes and weights of 0 .. count-1, single integers first, then blocks of doubling length."""
    starts = [float(_END)]
    while 3 * starts[-1] < count:  # the last block takes what is left, one to two times its start
        starts.append(2 * starts[-1])
    lengths = np.diff([*starts, count])
    points, weights = _block_rules(lengths, order)
    single = np.arange(_END, dtype=np.float64)
    offset = np.array(starts)[:, None] + points
    return np.concatenate([single, offset.ravel()]), np.concatenate([np.ones(_END), weights.ravel()])


def _block_rules(lengths: Floats, order: int) -> tuple[Floats, Floats]:
    """Return the Gauss rules [B, order] of the integers 0 .. length-1, for every length."""
    k = np.arange(1, order, dtype=np.float64)
    # In units of the length, so that lengths up to 2^60 do not overflow.
    beside = np.sqrt(k**2 * (1 - (k / lengths[:, None]) ** 2) / (4 * (4 * k**2 - 1)))
    jacobi = np.zeros((len(lengths), order, order))
    jacobi[:, np.arange(order - 1), np.arange(1, order)] = beside
    jacobi += np.swapaxes(jacobi, 1, 2)
    jacobi[:, np.arange(order), np.arange(order)] = (0.5 * (1 - 1 / lengths))[:, None]
    values, vectors = np.linalg.eigh(jacobi)
    return values * lengths[:, None], vectors[:, 0, :] ** 2 * lengths[:, None]
