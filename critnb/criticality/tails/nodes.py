"""Few integers with weights that stand for a sum over very many, exact for sums over short supports.

Away from the ends of the support the integers are cut into blocks that double in length with the distance from the
nearer end, and each block is summed by the Gauss rule of its integers: the rule whose orthogonal polynomials are those
of the discrete uniform measure (discrete Chebyshev polynomials, Szegoe 1975, section 2.8; nodes and weights as
eigenvalues, Golub and Welsch 1969). So the same nodes sum every smooth function, with no end corrections, and steep
functions are resolved at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Supports up to this length are summed integer by integer.
_EXACT = 2048
_END = 64
_ORDER = 24
# Without an upper end the nodes reach so far; a summand must have vanished there.
HORIZON = 2.0**60


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
