"""Least squares of r_k = b m^k + c, k = 1..K, for many series at once.

For a given m the model is linear in b and c (variable projection; Golub and Pereyra 1973), so the fit is a search in m
alone: a grid over all time scales -1/ln m, then the root of the derivative between the neighbours of the best point.
There is no start value, no iteration limit that a fit can miss, and no random number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import elementwise

Floats = npt.NDArray[np.float64]

# Time scales in lags: below the first m^2 is nothing beside m, above the last m^K is constant for every K in use.
_TIME_SCALES = np.geomspace(0.2, 1e4, 240)
_END = 1e-9
_CLOSE = {"xatol": 1e-15, "xrtol": 1e-13, "fatol": 0.0, "frtol": 0.0}


@dataclass(frozen=True, eq=False)
class _Moments:
    """Sums over the lags, all that a linear fit needs: of e^2, e r, e and r, where e_k = m^k; K lags."""

    ee: Floats
    er: Floats
    e: Floats
    r: Floats
    lags: int

    def linear_fit(self, offset: bool) -> tuple[Floats, Floats]:
        """Return b and c of least squares under b >= 0 (and c = 0 without ``offset``)."""
        if not offset:
            through_origin: Floats = np.maximum(self.er / self.ee, 0.0)
            return through_origin, np.zeros_like(through_origin)
        slope = (self.er - self.e * self.r / self.lags) / (self.ee - self.e**2 / self.lags)
        b: Floats = np.maximum(slope, 0.0)
        return b, (self.r - b * self.e) / self.lags

    def explained(self, b: Floats, c: Floats) -> Floats:
        """Return what the fit takes off the sum of squares of r."""
        explained: Floats = 2 * (b * self.er + c * self.r) - b**2 * self.ee - 2 * b * c * self.e - self.lags * c**2
        return explained


def fit_lags(r: npt.NDArray[Any], *, offset: bool) -> tuple[Floats, Floats, Floats]:
    """Return (m, b, c), each [...], of least squares of b m^k + c to slopes r [..., K] at lags 1..K.

    0 < m <= 1 (below 1 with ``offset``, where m = 1 would be a second c) and b >= 0; c = 0 without ``offset``. Slopes
    that fall along a straight line put m on the upper edge, which is exp(-1e-4) with ``offset``. NaN where b = 0, since
    m is then undefined, and where r has a NaN or fewer lags than one more than there are parameters.
    """
    series = np.asarray(r, dtype=np.float64).reshape(-1, np.shape(r)[-1])
    fitted = np.full((3, len(series)), np.nan)
    usable = np.isfinite(series).all(axis=1)
    if usable.any() and series.shape[1] >= least_lags(offset=offset):
        fitted[:, usable] = _fit(series[usable], offset)
    m, b, c = fitted.reshape(3, *np.shape(r)[:-1])
    return m, b, c


def at_lower_end(m: float) -> bool:
    """Tell whether a fitted m lies on the lower end of the search: the correlation is gone after one lag."""
    return bool(m <= np.exp(-1 / _TIME_SCALES[0]) * (1 + _END))


def at_upper_end(m: float) -> bool:
    """Tell whether a fitted m lies on the upper end of the search: the correlation outlasts every lag in use."""
    return bool(m >= np.exp(-1 / _TIME_SCALES[-1]) * (1 - _END))


def least_lags(*, offset: bool) -> int:
    """Return how many lags a fit needs: one more than it has parameters."""
    return 2 + offset + 1


def _fit(r: Floats, offset: bool) -> Floats:
    """Return m, b, c [3, R] of finite series r [R, K]."""
    grid = np.exp(-1 / _TIME_SCALES) if offset else np.append(np.exp(-1 / _TIME_SCALES), 1.0)
    powers = grid[:, None] ** _lags(r)
    of_grid = _Moments((powers**2).sum(1), r @ powers.T, powers.sum(1), r.sum(1, keepdims=True), r.shape[1])
    b, c = of_grid.linear_fit(offset)
    explained = np.where(b > 0, of_grid.explained(b, c), -np.inf)
    best = explained.argmax(axis=1)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    m = _between(r, low, high, grid[best], offset)
    _, b, c = _descent(r, m, offset)
    return np.where(b > 0, np.stack([m, b, c]), np.nan)


def _lags(r: Floats) -> Floats:
    return np.arange(1, r.shape[1] + 1, dtype=np.float64)


def _descent(r: Floats, m: Floats, offset: bool) -> tuple[Floats, Floats, Floats]:
    """Return how fast the sum of squares falls with m [R] (over 2 b), and the b and c that are best there."""
    lags, powers = _lags(r), m[:, None] ** _lags(r)
    moments = _Moments((powers**2).sum(1), (r * powers).sum(1), powers.sum(1), r.sum(1), r.shape[1])
    b, c = moments.linear_fit(offset)
    residual = r - b[:, None] * powers - c[:, None]
    return (residual * lags * powers).sum(1) / m, b, c


def _between(r: Floats, low: Floats, high: Floats, otherwise: Floats, offset: bool) -> Floats:
    """Return the m in [low, high] where the sum of squares is least: the root of its derivative (Chandrupatla 1997).

    Where the derivative does not change its sign from falling to rising, the grid's point stands: the least value lies
    on the edge of the grid.
    """
    bracketed = (_descent(r, low, offset)[0] > 0) & (_descent(r, high, offset)[0] < 0)
    m = otherwise.copy()
    if bracketed.any():
        rows = np.flatnonzero(bracketed)
        found = elementwise.find_root(
            lambda at, row: _descent(r[row], at, offset)[0], (low[rows], high[rows]), args=(rows,), tolerances=_CLOSE
        )
        m[rows] = found.x
    return m
