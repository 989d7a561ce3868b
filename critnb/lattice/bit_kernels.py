"""Null occupancies drawn as bits, in compiled loops whose words are those of ``critnb.lattice.randomness``.

Rows are bits, uint64 [W], as ``critnb.lattice.bits`` packs them; loops over the 64 sites of a word have a fixed length, which
lets the compiler use vector instructions. Imported where a null is drawn and not before, since compiling takes seconds once per
machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from critnb.lattice.kernels import mixed

_Array = npt.NDArray[Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_0, _1, _32 = (np.uint64(n) for n in (0, 1, 32))
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)
# After so many interpolated cuts, of which some four are needed, the bracket is halved: that always ends.
_INTERPOLATED = 12


@njit(nogil=True, cache=True)
def permuted(events: _Array, tokens: int, sequence: _Array, keys: _Array) -> _Array:
    """Return planes [P, L, W] whose rows occupy as many sites as ``events`` int64 [N, L] says: those with the smallest words."""
    planes, layers, width = len(sequence), events.shape[1], (tokens + 63) // 64
    found = np.zeros((planes, layers, width), dtype=np.uint64)
    drawn = np.full(64 * width, _LAST)
    for plane in range(planes):
        for layer in range(layers):
            k = events[sequence[plane], layer]
            row = found[plane, layer]
            if k == tokens:
                for t in range(tokens):
                    row[t // 64] |= _1 << np.uint64(t % 64)
            elif k > 0:
                state = keys[plane] + np.uint64(layer * tokens) * _GOLDEN
                for t in range(tokens):
                    drawn[t] = mixed(state + np.uint64(t + 1) * _GOLDEN)
                cut = _cut(drawn, k, tokens)
                for w in range(width):
                    word = _0
                    for j in range(64):
                        word |= np.uint64(drawn[64 * w + j] < cut) << np.uint64(j)
                    row[w] = word
    return found


@njit(nogil=True, cache=True)
def _cut(drawn: _Array, k: int, n_words: int) -> Any:
    """Return a number that k of the words are below, 0 < k < n_words, between numbers that fewer and more are below."""
    low, n_low, high, n_high = _0, 0, _LAST, n_words
    step = 0
    while high - low > _1:
        width = high - low
        if step < _INTERPOLATED:
            cut = low + np.uint64(float(width) * ((k - n_low) / (n_high - n_low)))
            cut = min(max(cut, low + _1), high - _1)
        else:
            cut = low + (width >> _1)
        step += 1
        n = 0
        for t in range(len(drawn)):
            n += drawn[t] < cut
        if n == k:
            return cut
        if n < k:
            low, n_low = cut, n
        else:
            high, n_high = cut, n
    return high


@njit(nogil=True, cache=True)
def elsewhere(
    values: _Array, first: _Array, own: _Array, n_own: _Array, others: _Array, sequence: _Array, keys: _Array
) -> _Array:
    """Return planes [P, L, W] of the occupancy values bool [L, places] as ``kernels.drawn_elsewhere`` draws them."""
    planes, layers, tokens = len(sequence), len(values), first.shape[1]
    found = np.zeros((planes, layers, (tokens + 63) // 64), dtype=np.uint64)
    place = np.empty(tokens, dtype=np.int64)
    for plane in range(planes):
        n = sequence[plane]
        for layer in range(layers):
            state = keys[plane] + np.uint64(layer * tokens) * _GOLDEN
            for t in range(tokens):
                word = mixed(state + np.uint64(t + 1) * _GOLDEN) >> _32
                at = first[n, t] + np.int64((word * np.uint64(others[n, t])) >> _32)
                place[t] = at + (n_own[n, t] if at >= own[n, t] else 0)
            for t in range(tokens):
                found[plane, layer, t // 64] |= np.uint64(values[layer, place[t]]) << np.uint64(t % 64)
    return found
