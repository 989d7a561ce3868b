"""Random members of groups, as many of each as are taken already and none of those, all from counter-based words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from critnb.lattice.randomness import Words, below, words

Places = NDArray[np.int64]


def distinct_choices(row: Places, taken: Places, keys: Words, *, bound: int) -> tuple[Places, Places]:
    """Choose, for every row with k members taken, k of the other members 0 .. bound-1, all different.

    row [E] and taken [E]: the rows 0 .. len(keys)-1 and their members that are taken, each once; ``keys`` [G] one random
    stream for each row. Returns rows and members chosen. A row with fewer than k others gives all of them. Every set of k is
    equally likely: members are drawn with replacement until k different ones are there.
    """
    closed = np.zeros((len(keys), bound), dtype=bool)
    closed[row, taken] = True
    k = np.bincount(row, minlength=len(keys))
    k = np.minimum(k, bound - k)
    at = np.repeat(np.arange(len(keys)), k)
    slot = np.arange(len(at)) - (np.cumsum(k) - k)[at]
    chosen = np.full(len(at), -1, dtype=np.int64)
    turn = 0
    while len(pending := np.flatnonzero(chosen < 0)):
        drawn = below(words(keys[at[pending]], slot[pending] + turn * bound), bound)
        # of two that draw the same member the one of the lower slot keeps it
        _, first = np.unique(at[pending] * bound + drawn, return_index=True)
        good = first[~closed[at[pending][first], drawn[first]]]
        chosen[pending[good]] = drawn[good]
        closed[at[pending[good]], drawn[good]] = True
        turn += 1
    return at, chosen
