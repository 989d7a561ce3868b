"""The null of shuffled input: the order in which a model reads the tokens of a window. It acts on text, not on rasters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.canon import NullId
from critnb.lattice.randomness import root_key, words


def token_shuffle_order(
    special: npt.NDArray[np.bool_], *, seed: int, seq_id: int, shuffle: int | None = None
) -> npt.NDArray[np.int64]:
    """Return the order [T] in which NULL_TOKEN_SHUFFLE_INPUT reads a window: ``shuffled = tokens[order]``.

    The first and the last position and those marked in ``special`` bool [T] stay; the others are permuted uniformly.
    The draw depends on seed and seq_id only, so that every condition sees the same shuffled window; with ``shuffle``, on that
    number, too: one of any number of further draws beside the one that is kept.
    """
    movable = ~special
    movable[:1] = movable[-1:] = False
    places = np.flatnonzero(movable)
    name = NullId.NULL_TOKEN_SHUFFLE_INPUT.encode()
    if shuffle is None:
        key = words(root_key(seed, name), seq_id)
    else:
        key = words(words(root_key(seed, name, b"shuffles"), seq_id), shuffle)
    order = np.arange(len(special))
    order[places] = places[np.argsort(words(key, np.arange(len(places))))]
    return order
