"""Closed forms that estimators must reproduce on the inputs of ``critnb.criticality.synthetic``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from critnb.canon import Adjacency

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScalingExponents:
    """P(size) falls with exponent tau, P(duration) with alpha, and the mean size grows as duration to the gamma."""

    tau: float
    alpha: float
    gamma: float


MEAN_FIELD = ScalingExponents(tau=3 / 2, alpha=2.0, gamma=2.0)
# Bond percolation on the (1+1)-dimensional square lattice: Jensen 1999, J. Phys. A 32, 5233, delta 0.159464(6) and
# theta 0.313686(8); alpha = 1 + delta, gamma = 1 + theta + delta, tau = 1 + delta / gamma (Munoz et al. 1999).
DIRECTED_PERCOLATION = ScalingExponents(tau=1.108247, alpha=1.159464, gamma=1.473150)
DIRECTED_PERCOLATION_THRESHOLD = 0.644700185


def borel_pmf(sizes: npt.NDArray[Any], m: float = 1.0) -> Floats:
    """Return P(S = n) = exp(-m n) (m n)^(n-1) / n! of sizes n [...] >= 1: the total progeny of Poisson branching.

    0 < m <= 1. Borel 1942; Otter 1949, Annals of Mathematical Statistics 20, 206.
    """
    n = np.asarray(sizes, dtype=np.float64)
    pmf: Floats = np.exp(-m * n + (n - 1) * np.log(m * n) - gammaln(n + 1))
    return pmf


def poisson_branching_durations(longest: int, m: float = 1.0) -> Floats:
    """Return P(D = k), k = 1..longest, of Poisson branching: P(D <= k) = q_k = exp(m (q_{k-1} - 1)), q_0 = 0."""
    return -np.diff(_outliving(longest, m))


def mean_size_by_duration(longest: int, m: float = 1.0) -> Floats:
    """Return E[S | D = k], k = 1..longest, of Poisson branching.

    E[z^S; D <= k] obeys G_k(z) = z exp(m (G_{k-1}(z) - 1)); its derivative at one is E[S; D <= k] = q_k (1 + m E[S; D
    <= k-1]), with q_k = P(D <= k).
    """
    outliving = _outliving(longest, m)
    shares = -np.diff(outliving)
    up_to, of_longest = 0.0, np.zeros(longest)
    for k in range(longest):
        # the difference of E[S; D <= k] from its predecessor as a sum of positive terms, so that no digits cancel
        of_longest[k] = shares[k] * (1 + m * up_to) + (1 - outliving[k]) * m * (of_longest[k - 1] if k else 0.0)
        up_to += of_longest[k]
    return of_longest / shares


def _outliving(longest: int, m: float) -> Floats:
    """Return P(D > k), k = 0..longest: one minus the probability that all of the first event's offspring die in time."""
    outliving = np.ones(longest + 1)
    for k in range(1, longest + 1):
        outliving[k] = -np.expm1(-m * outliving[k - 1])
    return outliving


def cascade_spans(longest: int, *, n_across: int, m_along: float, m_across: float) -> Floats:
    """Return P(span = k), k = 1..longest, [n_across, longest], of ``lattice_cascades`` along one of its axes.

    The first axis is where the cascade starts on the other axis, of ``n_across`` places. m_along is the mean number of
    events that one causes a step further along, m_across a step further across. Holds where the lattice goes on for
    ``longest`` - 1 steps along. With q_k(l) = P(span <= k from l), q_0 = 0 and q_k = 1 beyond the last place, the
    events that one causes give q_k(l) = exp(m_along (q_{k-1}(l) - 1) + m_across (q_k(l+1) - 1)).
    """
    ended = np.zeros((n_across + 1, longest + 1))
    ended[-1] = 1.0
    for k in range(1, longest + 1):
        for place in reversed(range(n_across)):
            ended[place, k] = np.exp(m_along * (ended[place, k - 1] - 1) + m_across * (ended[place + 1, k] - 1))
    return np.diff(ended[:-1], axis=1)


def cascade_mean_size(*, n_layers: int, n_tokens: int, m_time: float, m_depth: float) -> float:
    """Return the mean number of events of ``lattice_cascades``, over all sites that one can start from.

    The number expected at a site is the sum over its two predecessors; started everywhere at once, the expectations add.
    """
    expected = np.zeros((n_layers + 1, n_tokens + 1))
    for layer in range(1, n_layers + 1):
        for token in range(1, n_tokens + 1):
            expected[layer, token] = 1 + m_time * expected[layer, token - 1] + m_depth * expected[layer - 1, token]
    return float(expected.sum() / (n_layers * n_tokens))


def clusters_per_site(density: npt.NDArray[Any] | float, adjacency: Adjacency) -> Floats:
    """Return how many clusters of 1, 2, ... sites there are per site [sizes, ...] when sites are occupied independently.

    Up to four sites with four neighbours, up to three with eight. Each term is the number of lattice animals of one
    size and perimeter; with four neighbours: Sykes and Glen 1976, J. Phys. A 9, 87.
    """
    p = np.asarray(density, dtype=np.float64)
    q = 1 - p
    animals: tuple[Floats, ...]
    if adjacency is Adjacency.ADJ_4N:
        animals = (q**4, 2 * q**6, 4 * q**7 + 2 * q**8, 9 * q**8 + 8 * q**9 + 2 * q**10)
    else:
        animals = (q**8, 2 * q**10 + 2 * q**12, 6 * q**12 + 8 * q**14 + 4 * q**15 + 2 * q**16)
    return np.stack([p**size * perimeters for size, perimeters in enumerate(animals, start=1)])


def subsampled_slopes(lags: npt.NDArray[Any], *, m: float, p: float) -> Floats:
    """Return the slopes r_k = b m^k of a driven branching process of which a share p of the events is seen.

    b = p / (p + (1 - p)(1 - m^2)); the Poisson process of ``driven_branching``, Wilting and Priesemann 2018.
    """
    slopes: Floats = p / (p + (1 - p) * (1 - m**2)) * m ** np.asarray(lags, dtype=np.float64)
    return slopes
