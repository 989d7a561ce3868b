"""The power law with an exponential cutoff, k^-alpha e^(-lambda k), by maximum likelihood."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.criticality.tails.histogram import Histogram
from critnb.criticality.tails.laws import Fitted
from critnb.criticality.tails.newton import Evaluation, maximise
from critnb.criticality.tails.nodes import HORIZON, Nodes, summation_nodes
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
    logs, values = np.log(sample.values), sample.values.astype(np.float64)
    mean = np.array([sample.counts @ logs, sample.counts @ values]) / sample.n
    (alpha,) = power_law.parameters
    at_zero = Fitted((alpha, 0.0), power_law.log_p)
    if _mean_value(alpha, xmin, xmax) <= mean[1] * (1 + _ROUNDING):
        return at_zero
    scaled, nodes = np.array([mean[0], 1.0]), summation_nodes(xmin, xmax)
    least = _VANISHED / HORIZON if xmax is None else 0.0
    start = np.array([alpha, mean[1] / values[-1]])
    point = maximise(lambda at: _likelihood(at, nodes, scaled, mean[1]), start, (least * mean[1], np.inf))
    alpha, rate = float(point[0]), float(point[1] / mean[1])
    log_sum = _log_sum(alpha, rate, nodes)
    finer = _log_sum(alpha, rate, summation_nodes(xmin, xmax, order=_FINER_ORDER))
    if abs(finer - log_sum) > _AGREEMENT:
        return Fitted.missing(2, sample)
    found = Fitted((alpha, rate), -alpha * logs - rate * values - log_sum)
    # Where lambda is as good as zero, rounding must not make the wider law the worse one.
    return found if found.log_likelihood(sample) > power_law.log_likelihood(sample) else at_zero


def _mean_value(alpha: float, xmin: int, xmax: int | None) -> float:
    """Return the power law's mean of k, infinite without xmax for alpha <= 2 and where its sum is out of reach."""
    low, top = np.array([float(xmin)]), None if xmax is None else np.array([float(xmax)])
    if alpha - 1 <= lowest_exponent(low, top)[0]:
        return np.inf
    above, below = (log_moments(np.array([at]), low, top).log_sum[0] for at in (alpha - 1, alpha))
    return float(np.exp(above - below))


def _log_summands(alpha: float, rate: float, nodes: Nodes) -> Floats:
    return -alpha * nodes.log_points - rate * nodes.points


def _log_sum(alpha: float, rate: float, nodes: Nodes) -> float:
    summands = _log_summands(alpha, rate, nodes)
    top = summands.max()
    return float(top + np.log(nodes.weights @ np.exp(summands - top)))


def _likelihood(at: Floats, nodes: Nodes, mean: Floats, scale: float) -> Evaluation:
    """Return the mean log-likelihood at (alpha, lambda * scale); ``mean`` [2] is the sample's, of ln k and k / scale."""
    summands = _log_summands(at[0], at[1] / scale, nodes)
    top = summands.max()
    share = nodes.weights * np.exp(summands - top)
    total = share.sum()
    share /= total
    statistics = np.stack([nodes.log_points, nodes.points / scale])
    expected = statistics @ share
    centred = statistics - expected[:, None]
    return Evaluation(
        value=float(-at @ mean - top - np.log(total)),
        gradient=expected - mean,
        curvature=(centred * share) @ centred.T,
    )
