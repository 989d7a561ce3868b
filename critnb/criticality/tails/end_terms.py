"""The end terms of Euler and Maclaurin's formula for sums of k^-alpha, in compiled loops: Newton's method asks for them often.

Only sums, products and quotients, each rounded as numpy rounds them. Imported where a law is fitted and not before, since numba
takes a moment to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_Array = npt.NDArray[Any]

# B_2j / (2j)! of the formula, as 1/12 and the ratios of neighbours, with the rising factorial's index.
_FIRST = 12.0
_RATIOS = ((7.0, 39.6), (5.0, 40.0), (3.0, 42.0), (1.0, 60.0))


@njit(nogil=True, cache=True, error_model="numpy")
def end_jet(alpha: _Array, end: _Array) -> _Array:
    """Return sum_j B_2j/(2j)! alpha (alpha+1) ... (alpha+2j-2) / end^(2j-1), nested, and its two derivatives: [3, C]."""
    jet = np.empty((3, len(alpha)))
    for i in range(len(alpha)):
        a, value, slope, bend = alpha[i], 1.0, 0.0, 0.0
        square = -1 / (end[i] * end[i])
        for index, ratio in _RATIOS:
            scale = square / ratio
            factor, tilt = (a + index) * (a + index + 1) * scale, (2 * a + 2 * index + 1) * scale
            bend = 2 * scale * value + 2 * tilt * slope + factor * bend
            slope = tilt * value + factor * slope
            value = 1 + factor * value
        unit = 1 / (_FIRST * end[i])
        jet[0, i], jet[1, i], jet[2, i] = unit * a * value, unit * (value + a * slope), unit * (2 * slope + a * bend)
    return jet


@njit(nogil=True, cache=True, error_model="numpy")
def end_values(alpha: _Array, end: _Array) -> _Array:
    """Return the value of ``end_jet`` alone, of laws alpha [C] at ends [C, V]."""
    values = np.empty(end.shape)
    for i in range(len(alpha)):
        a = alpha[i]
        for j in range(end.shape[1]):
            square, value = -1 / (end[i, j] * end[i, j]), 1.0
            for index, ratio in _RATIOS:
                value *= (a + index) * (a + index + 1) / ratio * square
                value += 1
            values[i, j] = value * (a / (_FIRST * end[i, j]))
    return values
