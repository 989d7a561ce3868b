"""Values drawn from a tabulated distribution and counted, by a compiled loop: p-values by Monte Carlo draw millions.

The words are those of ``critnb.lattice.randomness``. Imported where values are drawn and not before, since numba takes a
moment to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from critnb.lattice.kernels import mixed

_Array = npt.NDArray[Any]

_GOLDEN, _11 = np.uint64(0x9E3779B97F4A7C15), np.uint64(11)
_CELLS = 4096


def first_places(cumulative: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return how many of the ascending values [K] lie at or below g / _CELLS, for each g: where a search from there on starts.

    Chen and Asau 1974, AIIE Transactions 6, 163: the guide table, exact since levels at g / _CELLS or more lie no lower.
    """
    return np.searchsorted(cumulative, np.arange(_CELLS) / _CELLS, side="right")


@njit(nogil=True, cache=True)
def count_drawn(cumulative: _Array, first: _Array, key: Any, n: int, counts: _Array, far: _Array) -> int:
    """Draw n levels in 0..1 with the words of the stream ``key``; count how many fall to each place, int64 [K].

    The place of a level is how many values of ``cumulative`` float64 [K] lie at or below it. Levels beyond all are kept in
    their order in ``far`` float64 [n], and their number is returned.
    """
    beyond, state = 0, key
    for _ in range(n):
        state += _GOLDEN
        level = np.float64(mixed(state) >> _11) * 2.0**-53
        at = first[int(level * _CELLS)]
        while at < len(cumulative) and cumulative[at] <= level:
            at += 1
        if at < len(cumulative):
            counts[at] += 1
        else:
            far[beyond] = level
            beyond += 1
    return beyond
