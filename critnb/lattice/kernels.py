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
_0, _1, _27, _30, _31, _32, _63 = (np.uint64(n) for n in (0, 1, 27, 30, 31, 32, 63))


@njit(nogil=True, cache=True)
def mixed(state: Any) -> Any:
    """Return the word of a state, as ``randomness.mix`` does."""
    word = (state ^ (state >> _30)) * _FIRST
    word = (word ^ (word >> _27)) * _SECOND
    return word ^ (word >> _31)


@njit(nogil=True, cache=True)
def bits_of(word: Any) -> Any:
    """Count the bits of a word (Warren 2013, Hacker's Delight, section 5-1)."""
    word -= (word >> _1) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(nogil=True, cache=True)
def trade_planes(planes: _Array, trades: int, keys: _Array) -> None:
    """Run global trades on every plane of planes uint64 [P, L, W] in place, each with its own key uint64 [P].

    A global trade pairs all rows at random (Fisher-Yates) and trades within each pair.
    """
    order, pairs, words = _room(*planes.shape[1:])
    for plane in range(len(planes)):
        _trade_all(planes[plane], trades, keys[plane], order, pairs, words, words.view(np.uint32))


@njit(nogil=True, cache=True)
def _room(layers: int, width: int) -> tuple[_Array, _Array, _Array]:
    """Return room for the order of rows, for two numbers of each pair, and for the words of a global trade.

    A trade takes half a word of each site that it deals out, and a few more are drawn or read.
    """
    order, pairs = np.empty(layers, dtype=np.int64), np.empty((layers // 2, 2), dtype=np.uint64)
    return order, pairs, np.zeros(layers // 2 * 32 * width + 8, dtype=np.uint64)


@njit(nogil=True, cache=True)
def _trade_all(
    rows: _Array, trades: int, key: Any, order: _Array, pairs: _Array, words: _Array, halves: _Array
) -> None:
    """Run global trades on the rows uint64 [L, W] of one window, in the room that ``_room`` makes."""
    for row in range(len(rows)):
        order[row] = row
    state = key
    for _ in range(trades):
        state = _shuffle(order, state)
        state = _trade_pairs(rows, order, pairs, words, halves, state)


@njit(nogil=True, cache=True)
def _shuffle(order: _Array, state: Any) -> Any:
    """Shuffle ``order`` in place; returns the new state."""
    for last in range(len(order) - 1, 0, -1):
        state += _GOLDEN
        pick = np.int64(((mixed(state) >> _32) * np.uint64(last + 1)) >> _32)
        order[last], order[pick] = order[pick], order[last]
    return state


@njit(nogil=True, cache=True)
def _trade_pairs(rows: _Array, order: _Array, pairs: _Array, words: _Array, halves: _Array, state: Any) -> Any:
    """Trade within the pairs of a global trade, two rows of ``order`` each; returns the new state.

    No trade changes the rows of another pair, so how many words each takes is known before the first, and all are drawn in
    one loop. What ``pairs`` and ``words`` hold is written anew.
    """
    n_words = _0
    for pair in range(len(pairs)):
        wanted, left = _apart(rows[order[2 * pair]], rows[order[2 * pair + 1]])
        pairs[pair, 0], pairs[pair, 1] = wanted, left
        n_words += (left + _1) >> _1
    # in steps of eight, as many as the widest vectors hold: what is left over would be done one by one
    for i in range((np.int64(n_words) + 7) // 8 * 8):
        word = mixed(state + np.uint64(i + 1) * _GOLDEN)
        # numba knows little-endian machines only: there the upper half, which is read first, then stands first
        words[i] = (word >> _32) | (word << _32)
    first = _0
    for pair in range(len(pairs)):
        wanted, left = pairs[pair, 0], pairs[pair, 1]
        if left > _0:
            _deal(rows[order[2 * pair]], rows[order[2 * pair + 1]], wanted, left, halves, first)
        first += (left + _1) >> _1 << _1
    return state + n_words * _GOLDEN


@njit(nogil=True, cache=True)
def _apart(one: _Array, other: _Array) -> tuple[Any, Any]:
    """Return how many sites ``one`` has alone, and how many either has alone; none where one row has them all: they stay."""
    wanted, left = _0, _0
    for w in range(len(one)):
        wanted += bits_of(one[w] & ~other[w])
        left += bits_of(one[w] ^ other[w])
    return (_0, _0) if wanted in (_0, left) else (wanted, left)


@njit(nogil=True, cache=True)
def _deal(one: _Array, other: _Array, wanted: Any, left: Any, halves: _Array, first: Any) -> None:
    """Deal the ``left`` sites that one of two rows has and the other has not out anew, ``wanted`` of them to ``one``.

    Rows are bits, uint64 [W]. Each keeps how many sites it has, and so does every column of the two. All ways to deal them
    out are equally likely: sites are dealt one after the other, to ``one`` with the share of places that it has left
    (selection sampling, Fan, Muller and Rezucha 1962, JASA 57, 387), on one of ``halves`` each, from ``first``.
    """
    for w in range(len(one)):
        apart = one[w] ^ other[w]
        rest, taken, place, open_, places = apart, _0, first, wanted, left
        while rest != _0:
            # Four at a time: that a loop ends is hard to foretell, and past the last site none is taken.
            for _ in range(4):
                others = rest & (rest - _1)
                take = np.uint64(((np.uint64(halves[place]) * places) >> _32) < open_)
                taken |= (rest ^ others) & (~take + _1)
                open_ -= take
                places -= _1
                place += _1
                rest = others
        first += bits_of(apart)
        left -= bits_of(apart)
        wanted -= bits_of(taken)
        one[w] = (one[w] & ~apart) | taken
        other[w] = (other[w] & ~apart) | (apart ^ taken)


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
