"""The two loops that read every value of u, compiled: at some hundred million values a batch, numpy's temporaries cost more.

Imported where u is read on a CPU and not before, since numba takes a moment to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_Array = npt.NDArray[Any]

# So many units of a window are gone through twice, for mean and squares, before the next: they stay in the second-level cache.
_TILE = 256
# Compared values lie as bytes in a row, which is looked through in words of so many.
WORD = 8


@njit(nogil=True, cache=True)
def outside(
    rows: _Array, low: _Array, high: _Array, first: int, row_mask: _Array, site: _Array, unit: _Array, value: _Array
) -> tuple[int, int]:
    """Write place and value of every value of rows [n, F], from row ``first`` on, that is above ``high`` or below ``low`` [F].

    Site and unit ascend. ``row_mask`` uint8 is F rounded up to whole words of zeros. Return how many were written, and the
    row to go on with: n, or the first for which there might not be room.
    """
    found: Any = 0
    for r in range(first, len(rows)):
        if found + len(row_mask) > len(site):
            return found, r
        found = _outside_of_row(rows[r], low, high, r, found, row_mask, site, unit, value)
    return found, len(rows)


@njit(nogil=True, cache=True)
def outside_bfloat16(
    rows: _Array, low: _Array, high: _Array, first: int, row_mask: _Array, site: _Array, unit: _Array, value: _Array
) -> tuple[int, int]:
    """Do as ``outside`` for values of bfloat16, given as the uint16 that they are made of: the upper half of a float32."""
    wide = np.empty(rows.shape[1], dtype=np.float32)
    bits = wide.view(np.uint32)
    found: Any = 0
    for r in range(first, len(rows)):
        if found + len(row_mask) > len(site):
            return found, r
        row = rows[r]
        for j in range(len(row)):
            bits[j] = np.uint32(row[j]) << np.uint32(16)
        found = _outside_of_row(wide, low, high, r, found, row_mask, site, unit, value)
    return found, len(rows)


@njit(nogil=True, cache=True)
def _outside_of_row(
    row: _Array,
    low: _Array,
    high: _Array,
    r: int,
    found: Any,
    row_mask: _Array,
    site: _Array,
    unit: _Array,
    value: _Array,
) -> Any:
    width, words = len(row), row_mask.view(np.uint64)
    # this loop is the one that is vectorised, so nothing in it depends on what it finds
    for j in range(width):
        row_mask[j] = np.uint8(row[j] > high[j]) | np.uint8(row[j] < low[j])
    for w in range(len(words)):
        if words[w]:
            for j in range(WORD * w, WORD * w + WORD):
                # written whether it is one or not, and written over if not: no branch; beyond the row's end none is
                site[found], unit[found], value[found] = r, j, row[min(j, width - 1)]
                found += np.int64(row_mask[j])
    return found


@njit(nogil=True, cache=True)
def window_moments(rows: _Array, mean: _Array, squares: _Array) -> None:
    """Write mean [F] and sum of squared deviations from it [F], float64, of rows [T, F]; a unit's tokens are added in order."""
    length, width = rows.shape
    for start in range(0, width, _TILE):
        stop = min(start + _TILE, width)
        centre, spread = mean[start:stop], squares[start:stop]
        centre[:], spread[:] = 0.0, 0.0
        for t in range(length):
            row = rows[t, start:stop]
            for j in range(len(row)):
                centre[j] += np.float64(row[j])
        for j in range(len(centre)):
            centre[j] /= length
        for t in range(length):
            row = rows[t, start:stop]
            for j in range(len(row)):
                deviation = np.float64(row[j]) - centre[j]
                spread[j] += deviation * deviation
