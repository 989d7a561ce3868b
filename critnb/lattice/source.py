"""What a null is drawn from, and the functions that draw it.

A null's maker takes a source and returns the function that draws planes [P, L, T] of the sequences [P] that it is given,
one key [P, 1, 1] per plane; what draws occupancies returns them as bits [P, L, W].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.lattice.bits import Bits
from critnb.lattice.planes import Counts
from critnb.lattice.randomness import Words, words
from critnb.lattice.raster import Tokens

Sequences = npt.NDArray[np.intp]
DrawCounts = Callable[[Sequences, Words], Counts]
DrawBits = Callable[[Sequences, Words], Bits]


@dataclass(frozen=True, eq=False)
class Source:
    """What a null is drawn from: the counts uint16 [N, L, T] of one condition and, where known, token ids [N, T].

    seq_id [N]: the windows, so that a draw does not depend on their order. keys uint64 [N]: the stream of each window, whose
    words below 2^63 are the keys of replicates.
    """

    counts: Counts
    tokens: Tokens | None
    seq_id: npt.NDArray[np.int32]
    keys: Words


def site_words(keys: Words, layers: int, tokens: int) -> Words:
    """Return a word for every site [P, L, T] from keys [P, 1, 1]."""
    return words(keys, np.arange(layers * tokens).reshape(layers, tokens))


def occupied_first(counts: Counts) -> Counts:
    """Return each row [..., T] with its counts above zero first, in their order."""
    order = np.argsort(counts == 0, axis=-1, kind="stable")
    return np.take_along_axis(counts, order, axis=-1)
