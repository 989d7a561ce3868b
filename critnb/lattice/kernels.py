"""The inner loops of nulls that numpy cannot vectorise, compiled; their words are those of ``critnb.lattice.randomness``.

Compiling takes seconds once per machine, so this module is imported where a null is drawn and not before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_Array = npt.NDArray[Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LOW = np.uint64(0xFFFFFFFF)
_0, _1, _27, _30, _31, _32, _63 = (np.uint64(n) for n in (0, 1, 27, 30, 31, 32, 63))


@njit(nogil=True, cache=True)
def mixed(state: Any) -> Any:
    """Return the word of a state, as ``randomness.mix`` does."""
    word = (state ^ (state >> _30)) * _FIRST
    word = (word ^ (word >> _27)) * _SECOND
    return word ^ (word >> _31)


@njit(nogil=True, cache=True)
def trade(one: _Array, other: _Array, state: Any) -> Any:
    """Trade the sites that one of two rows has and the other has not: who gets which is drawn anew; returns the new state.

    Rows are bits, uint64 [W]. Each keeps how many sites it has, and so does every column of the two. All ways to deal them
    out are equally likely: sites are dealt one after the other, to ``one`` with the share of places that it has left
    (selection sampling, Fan, Muller and Rezucha 1962, JASA 57, 387), on 32 bits of a word each.
    """
    wanted, left = _0, _0
    for w in range(len(one)):
        wanted += bits_of(one[w] & ~other[w])
        left += bits_of(one[w] ^ other[w])
    if _0 in (wanted, left - wanted):
        return state
    word, halves = _0, _0
    for w in range(len(one)):
        apart = one[w] ^ other[w]
        rest, taken = apart, _0
        while rest != _0:
            lowest = rest & (~rest + _1)
            rest ^= lowest
            if halves == _0:
                state += _GOLDEN
                word = mixed(state)
            draw = (word >> _32) if halves == _0 else (word & _LOW)
            halves ^= _1
            take = np.uint64(((draw * left) >> _32) < wanted)
            taken |= lowest & (~take + _1)
            wanted -= take
            left -= _1
        one[w] = (one[w] & ~apart) | taken
        other[w] = (other[w] & ~apart) | (apart ^ taken)
    return state


@njit(nogil=True, cache=True)
def bits_of(word: Any) -> Any:
    """Count the bits of a word (Warren 2013, Hacker's Delight, section 5-1)."""
    word -= (word >> _1) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(nogil=True, cache=True)
def trade_all(rows: _Array, trades: int, key: Any) -> None:
    """Run global trades on the rows uint64 [L, W] of one window, in place: each pairs all rows at random (Fisher-Yates)."""
    order = np.arange(len(rows))
    state = key
    for _ in range(trades):
        for last in range(len(rows) - 1, 0, -1):
            state += _GOLDEN
            pick = np.int64(((mixed(state) >> _32) * np.uint64(last + 1)) >> _32)
            order[last], order[pick] = order[pick], order[last]
        for pair in range(len(rows) // 2):
            state = trade(rows[order[2 * pair]], rows[order[2 * pair + 1]], state)


@njit(nogil=True, cache=True)
def trade_planes(planes: _Array, trades: int, keys: _Array) -> None:
    """Run global trades on every plane of planes uint64 [P, L, W] in place, each with its own key uint64 [P]."""
    for plane in range(len(planes)):
        trade_all(planes[plane], trades, keys[plane])


@njit(nogil=True, cache=True)
def drawn_elsewhere(
    values: _Array, first: _Array, own: _Array, n_own: _Array, others: _Array, sequence: _Array, keys: _Array
) -> _Array:
    """Return planes [P, L, T] of values [L, places], each site from a place of its list that is not of its own window.

    Of the sites [N, T]: ``first`` place of the list, ``own`` first place of the window in it, ``n_own`` how many are the
    window's, ``others`` how many are not. A site's word is that of its place in the plane.
    """
    planes, layers, tokens = len(sequence), len(values), first.shape[1]
    found = np.empty((planes, layers, tokens), dtype=values.dtype)
    for plane in range(planes):
        n, state = sequence[plane], keys[plane]
        for layer in range(layers):
            for t in range(tokens):
                state += _GOLDEN
                place = first[n, t] + np.int64(((mixed(state) >> _32) * np.uint64(others[n, t])) >> _32)
                if place >= own[n, t]:
                    place += n_own[n, t]
                found[plane, layer, t] = values[layer, place]
    return found


@njit(nogil=True, cache=True)
def held_elsewhere(planes: _Array, values: _Array, first: _Array, own: _Array, n_own: _Array, others: _Array) -> bool:
    """Say whether every site of planes [N, L, T] holds a value that ``drawn_elsewhere`` could have drawn for window N.

    A list is searched until the value is met: of a null that is right after as many places, on average, as the list has values.
    """
    windows, layers, tokens = planes.shape
    for n in range(windows):
        for layer in range(layers):
            for t in range(tokens):
                wanted, place, end = planes[n, layer, t], first[n, t], first[n, t] + others[n, t] + n_own[n, t]
                while place < end and (values[layer, place] != wanted or own[n, t] <= place < own[n, t] + n_own[n, t]):
                    place += 1
                if place == end:
                    return False
    return True
