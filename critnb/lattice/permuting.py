"""Rows permuted by compiled code: the inner loop of the permutation null, whose words are those of ``critnb.lattice.randomness``.

Most rows hold a few events, so only the few smallest words of a row are put in order, not all of them. Imported where the
null is drawn and not before, since numba takes a moment to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_Array = npt.NDArray[Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_27, _30, _31 = (np.uint64(n) for n in (27, 30, 31))
# Above so many events a row's words are sorted; below, the smallest ones are inserted one by one.
_FEW = 48


@njit(nogil=True, cache=True)
def permuted(counts: _Array, sequence: _Array, keys: _Array) -> _Array:
    """Return planes [P, L, T]: counts [N, L, T] of each plane's sequence, each row's events laid along its sites.

    The i-th event of a row, in order of tokens, gets the site with the i-th smallest word; site s of a plane has the s-th
    word of its key, uint64 [P].
    """
    planes, (layers, tokens) = len(sequence), counts.shape[1:]
    laid = np.zeros((planes, layers, tokens), dtype=counts.dtype)
    drawn, events = np.empty(tokens, dtype=np.uint64), np.empty(tokens, dtype=counts.dtype)
    least, at = np.empty(_FEW, dtype=np.uint64), np.empty(_FEW, dtype=np.int64)
    for plane in range(planes):
        for layer in range(layers):
            k = 0
            for t in range(tokens):
                if counts[sequence[plane], layer, t] > 0:
                    events[k] = counts[sequence[plane], layer, t]
                    k += 1
            if k == 0:
                continue
            state = keys[plane] + np.uint64(layer * tokens) * _GOLDEN
            for t in range(tokens):
                state += _GOLDEN
                word = (state ^ (state >> _30)) * _FIRST
                word = (word ^ (word >> _27)) * _SECOND
                drawn[t] = word ^ (word >> _31)
            if k > _FEW:
                order = np.argsort(drawn)
                for i in range(k):
                    laid[plane, layer, order[i]] = events[i]
                continue
            _smallest(drawn, k, least, at)
            for i in range(k):
                laid[plane, layer, at[i]] = events[i]
    return laid


@njit(nogil=True, cache=True)
def _smallest(drawn: _Array, k: int, least: _Array, at: _Array) -> None:
    """Write the k smallest of ``drawn`` and their places, in ascending order, into the first k of ``least`` and ``at``."""
    found = 0
    for t in range(len(drawn)):
        word = drawn[t]
        if found == k and word > least[k - 1]:
            continue
        i = found if found < k else k - 1
        while i > 0 and least[i - 1] > word:
            least[i], at[i] = least[i - 1], at[i - 1]
            i -= 1
        least[i], at[i] = word, t
        if found < k:
            found += 1
