"""The power law with an exponential cutoff, k^-alpha e^(-lambda k), by maximum likelihood."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.criticality.tails.histogram import Histogram
from critnb.criticality.tails.laws import Fitted
from critnb.criticality.tails.newton import Evaluation, maximise
from critnb.criticality.tails.nodes import HORIZON, summation_nodes
from critnb.criticality.tails.powersums import log_moments, lowest_exponent

Floats = npt.NDArray[np.float64]

# At the nodes' horizon e^(-lambda k) must have fallen by so many nats.
_VANISHED = 50.0
_FINER_ORDER = 36
_AGREEMENT = 1e-9
_ROUNDING = 1e-12


def fit_cutoff(sample: Histogram, xmin: int, xmax: int | None, power_law: Fitted) -> Fitted:
    """Fit P ~ k^-alpha e^(-lambda k), lambda >= 0 and alpha any real number; parameters (alpha, lambda).

    An exponential family in (ln k, k), so its likelihood is concave: where the slope in lambda at the fitted power law
    is not positive, lambda is zero and the law is the power law, exactly. Without xmax the smallest lambda told from
    zero is 4e-17. NaN where the fitted law is so narrow, far from both ends, that its sum cannot be had to 1e-9.
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


def _likelihood(at: Floats, statistics: Floats, weights: Floats) -> Evaluation:
    """Return the mean log-likelihood at (alpha, lambda * mean of k)."""
    summands = -at @ statistics
    top = summands.max()
    share = weights * np.exp(summands - top)
    total = share.sum()
    share /= total
    gradient = statistics @ share
    centred = statistics - gradient[:, None]
    return Evaluation(float(-top - np.log(total)), gradient, (centred * share) @ centred.T)
