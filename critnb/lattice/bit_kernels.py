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

from critnb.lattice.kernels import bits_of, mixed

_Array = npt.NDArray[Any]

# No loop here divides by zero; what would have to be raised otherwise keeps the compiler from merging small functions.
_compiled = njit(nogil=True, cache=True, error_model="numpy")

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)
_0, _1, _6, _32, _56, _63 = (np.uint64(n) for n in (0, 1, 6, 32, 56, 63))
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)
# After so many interpolated cuts, of which some four are needed, the bracket is halved: that always ends.
_INTERPOLATED = 12


@_compiled
def permuted(events: _Array, tokens: int, sequence: _Array, keys: _Array) -> _Array:
    """Return planes [P, L, W] whose rows occupy as many sites as ``events`` int64 [N, L] says: those with the smallest words."""
    planes, layers, width = len(sequence), events.shape[1], (tokens + 63) // 64
    found = np.zeros((planes, layers, width), dtype=np.uint64)
    drawn, steps = np.full((layers, 64 * width), _LAST), _steps(tokens)
    cuts, below = np.empty((layers, 2), dtype=np.uint64), np.empty((layers, 2), dtype=np.int64)
    unsettled = np.empty(layers + 1, dtype=np.uint64)
    for plane in range(planes):
        n, open_ = sequence[plane], _0
        for layer in range(layers):
            if events[n, layer] == tokens:
                for w in range(width):
                    found[plane, layer, w] = _LAST >> np.uint64(-tokens % 64 if w + 1 == width else 0)
            elif events[n, layer] > 0:
                state = keys[plane] + np.uint64(layer * tokens) * _GOLDEN
                for t in range(tokens):
                    drawn[layer, t] = mixed(state + steps[t])
                cuts[layer, 0], cuts[layer, 1], below[layer, 0], below[layer, 1] = _0, _LAST, 0, tokens
                unsettled[open_] = layer
                open_ += _1
        _occupy_smallest(found, plane, drawn, events, n, cuts, below, unsettled, open_)
    return found


@_compiled
def _steps(n: int) -> _Array:
    """Return by how much the states of the first n words of a stream exceed its key: a product that no word then needs."""
    return np.arange(1, n + 1).astype(np.uint64) * _GOLDEN


@_compiled
def _occupy_smallest(
    found: _Array,
    plane: int,
    drawn: _Array,
    events: _Array,
    sequence: int,
    cuts: _Array,
    below: _Array,
    unsettled: _Array,
    n: Any,
) -> None:
    """Occupy, in the n first of the ``unsettled`` rows of a plane [P, L, W], as many sites as ``events`` [N, L] of its sequence.

    These are the sites with the smallest of a row's words ``drawn`` [L, 64 W]. The cut between words is looked for between
    two, ``cuts`` [L, 2], that fewer and more are ``below`` [L, 2]. Rows take turns, since each waits for its own count: a
    processor then counts one row while it places the next one's cut. Whole arrays and a row's place in them are handed on,
    because a row of its own costs more than its count.
    """
    turn = 0
    while n > _0:
        left = _0
        for i in range(n):
            layer = unsettled[i]
            wanted, narrowest = events[sequence, layer], cuts[layer, 1] - cuts[layer, 0] <= _1
            cut = cuts[layer, 1] if narrowest else _cut(cuts, below, layer, wanted, turn)
            occupied = _occupy_below(found, plane, layer, drawn, cut)
            side = np.uint64(occupied > wanted)
            cuts[layer, side], below[layer, side] = cut, occupied
            unsettled[left] = layer
            left += np.uint64((occupied != wanted) & (not narrowest))
        n = left
        turn += 1


@_compiled
def _cut(cuts: _Array, below: _Array, layer: Any, wanted: int, turn: int) -> Any:
    """Return a number between a row's two cuts, of which more than one lies between, that about ``wanted`` words are below."""
    low, high = cuts[layer, 0], cuts[layer, 1]
    if turn >= _INTERPOLATED:
        return low + ((high - low) >> _1)
    share = (wanted - below[layer, 0]) / (below[layer, 1] - below[layer, 0])
    return min(max(low + np.uint64(float(high - low) * share), low + _1), high - _1)


@_compiled
def _occupy_below(found: _Array, plane: int, layer: Any, drawn: _Array, cut: Any) -> Any:
    """Occupy the sites of a row whose words are below the cut, and return how many these are."""
    occupied = _0
    for w in range(found.shape[2]):
        word = _0
        for j in range(64):
            word |= np.uint64(drawn[layer, 64 * w + j] < cut) << np.uint64(j)
        found[plane, layer, w] = word
        occupied += bits_of(word)
    return np.int64(occupied)


@_compiled
def shifted(twice: _Array, tokens: int, sequence: _Array, keys: _Array) -> _Array:
    """Return planes [P, L, W] whose rows are windows of ``tokens`` sites into ``twice`` [N, L, X], rows that are written twice.

    Each begins 1 to T-1 sites in, as the row's word says; behind a row there is room for the words that the window ends in.
    """
    planes, layers, width = len(sequence), twice.shape[1], (tokens + 63) // 64
    found = np.empty((planes, layers, width), dtype=np.uint64)
    for plane in range(planes):
        for layer in range(layers):
            word = mixed(keys[plane] + np.uint64(layer + 1) * _GOLDEN) >> _32
            offset = _1 + ((word * np.uint64(tokens - 1)) >> _32)
            first, by, row = np.int64(offset >> _6), offset & _63, twice[sequence[plane], layer]
            for w in range(width):
                # by at most 63 places at a time, since a shift by 64 means nothing
                found[plane, layer, w] = (row[first + w] >> by) | ((row[first + w + 1] << _1) << (_63 - by))
            found[plane, layer, width - 1] &= _LAST >> np.uint64(-tokens % 64)
    return found


@_compiled
def reordered(rows: _Array, sequence: _Array, keys: _Array) -> _Array:
    """Return planes [P, L, W] of the rows [N, L, W] of windows, in ascending order of their words."""
    planes, (layers, width) = len(sequence), rows.shape[1:]
    found, drawn = np.empty((planes, layers, width), dtype=np.uint64), np.empty(layers, dtype=np.uint64)
    for plane in range(planes):
        for layer in range(layers):
            drawn[layer] = mixed(keys[plane] + np.uint64(layer + 1) * _GOLDEN)
        for layer in range(layers):
            # A row's place is how many words are smaller: of as few rows as there are layers, faster than sorting them. No two
            # rows have one place, since ``mixed`` is one to one.
            place = 0
            for other in range(layers):
                place += drawn[other] < drawn[layer]
            for w in range(width):
                found[plane, place, w] = rows[sequence[plane], layer, w]
    return found


@_compiled
def elsewhere(
    values: _Array, first: _Array, own: _Array, n_own: _Array, others: _Array, sequence: _Array, keys: _Array
) -> _Array:
    """Return planes [P, L, W] of the occupancy values uint8 [L, places], 0 or 1, as ``kernels.drawn_elsewhere`` draws them.

    The places of sites are uint64 [N, T] here.
    """
    planes, layers, tokens = len(sequence), len(values), first.shape[1]
    width = (tokens + 63) // 64
    found = np.empty((planes, layers, width), dtype=np.uint64)
    place, steps = np.empty(tokens, dtype=np.uint64), _steps(tokens)
    sites = np.zeros(64 * width, dtype=np.uint8)
    # numba knows little-endian machines only: there the first site is a word's lowest byte
    eight = sites.view(np.uint64)
    for plane in range(planes):
        n = sequence[plane]
        begin, left_out, n_left_out, bound = first[n], own[n], n_own[n], others[n]
        for layer in range(layers):
            state, of_layer = keys[plane] + np.uint64(layer * tokens) * _GOLDEN, values[layer]
            for t in range(tokens):
                # a product of two halves of a word is one instruction where the compiler sees that they are
                word = (mixed(state + steps[t]) >> _32) * (bound[t] & _LOW)
                at = begin[t] + (word >> _32)
                place[t] = at + (n_left_out[t] if at >= left_out[t] else _0)
            for t in range(tokens):
                sites[t] = of_layer[place[t]]
            _pack(eight, found, plane, layer)
    return found


@_compiled
def _pack(sites: _Array, found: _Array, plane: int, layer: int) -> None:
    """Write sites [8 W], a byte each and 0 or 1, as the bits of a row of planes [P, L, W]: a product moves eight
    bytes' bits side by side."""
    for w in range(found.shape[2]):
        word = _0
        for byte in range(8):
            bits = (sites[8 * w + byte] * np.uint64(0x0102040810204080)) >> _56
            word |= bits << np.uint64(8 * byte)
        found[plane, layer, w] = word
