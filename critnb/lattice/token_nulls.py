"""The null that keeps what a token does wherever it stands: every site is drawn from other windows' sites of its token.

Each site of a window gets the count that the same token id has at the same layer at an occurrence in the other windows of
the slice, every occurrence alike and every layer on its own. In expectation it so keeps the rate of each (token id, layer), as
the other windows tell it. A token that no other window holds draws from any site of that layer there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from critnb.lattice.bits import pack
from critnb.lattice.planes import Counts
from critnb.lattice.randomness import Words
from critnb.lattice.raster import Tokens
from critnb.lattice.source import DrawBits, DrawCounts, Sequences, Source

_Places = npt.NDArray[np.int64]
_Site = TypeVar("_Site", np.uint16, np.bool_)
ONE_WINDOW = "there is one window only, and this null is drawn from the others"


@dataclass(frozen=True, eq=False)
class _Lists:
    """Where each site [N, T] draws from: a list of places that starts at ``first``, its own window's left out.

    ``own`` is the first place of its window, ``n_own`` how many the window has, ``others`` how many all others have.
    ``place`` [2 N T]: the (window, token) at each place, as one index; lists by token id come first, then all sites by window.
    """

    first: _Places
    own: _Places
    n_own: _Places
    others: _Places
    place: _Places


def token_identity(source: Source) -> DrawCounts:
    """Draw each site's count from the other windows' sites of its token; zero everywhere where there is one window only."""
    return partial(_planes, *_places_of(source, source.counts))


def token_identity_bits(source: Source) -> DrawBits:
    """Draw the occupancy as ``token_identity`` draws the counts."""
    from critnb.lattice import bit_kernels

    values, lists = _places_of(source, source.counts > 0)
    n, layers, tokens = source.counts.shape
    if n == 1:
        return lambda sequence, _: pack(np.zeros((len(sequence), layers, tokens), dtype=np.bool_))
    places = [each.astype(np.uint64) for each in (lists.first, lists.own, lists.n_own, lists.others)]
    return lambda sequence, keys: bit_kernels.elsewhere(values.view(np.uint8), *places, sequence, keys[:, 0, 0])


def why_not(source: Source) -> str:
    """Return why the null cannot be drawn of a source, empty where it can."""
    return ONE_WINDOW if len(source.counts) == 1 else ""


def identity_kept(real: Source, null: Counts) -> bool:
    """Say whether every count of the null is one that its token has at that layer in another window.

    For a token that no other window holds: one that any token has there. Of one window nothing can be drawn, and its null is
    empty.
    """
    from critnb.lattice import kernels

    if len(real.counts) == 1:
        return not null.any()
    values, lists = _places_of(real, real.counts)
    return bool(kernels.held_elsewhere(null, values, lists.first, lists.own, lists.n_own, lists.others))


def _places_of(source: Source, values: npt.NDArray[_Site]) -> tuple[npt.NDArray[_Site], _Lists]:
    """Return the values [L, places], and the lists of places that sites draw from."""
    lists = _lists(_tokens(source), source.seq_id)
    by_site = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
    return np.ascontiguousarray(by_site[:, lists.place]), lists


def _planes(values: Counts, lists: _Lists, sequence: Sequences, keys: Words) -> Counts:
    from critnb.lattice import kernels

    if len(lists.first) == 1:
        return np.zeros((len(sequence), len(values), lists.first.shape[1]), dtype=values.dtype)
    planes: Counts = kernels.drawn_elsewhere(
        values, lists.first, lists.own, lists.n_own, lists.others, sequence, keys[:, 0, 0]
    )
    return planes


def _tokens(source: Source) -> Tokens:
    assert source.tokens is not None
    return source.tokens


def _lists(tokens: Tokens, seq_id: npt.NDArray[np.int32]) -> _Lists:
    """Return the places of windows [N, T]: within a list windows stand in the order of their ids, so no other order counts."""
    n, length = tokens.shape
    by_window = (np.argsort(seq_id)[:, None] * length + np.arange(length)).ravel()
    ids = np.unique(tokens, return_inverse=True)[1].reshape(-1)
    place = by_window[np.argsort(ids[by_window], kind="stable")]
    window = place // length
    first, end = _runs(ids[place])
    own, own_end = _runs(ids[place] * n + window)
    starts, others = first, (end - first) - (own_end - own)
    # a list without another window is replaced by that of all sites
    alone, rank = others == 0, np.empty(n, dtype=np.int64)
    rank[np.argsort(seq_id)] = np.arange(n)
    starts = np.where(alone, place.size, starts)
    own_places = np.where(alone, place.size + rank[window] * length, own)
    n_own = np.where(alone, length, own_end - own)
    others = np.where(alone, place.size - length, others)
    back = np.empty_like(place)
    back[place] = np.arange(place.size)
    first, own, n_own, others = (each[back].reshape(n, length) for each in (starts, own_places, n_own, others))
    return _Lists(first, own, n_own, others, np.concatenate([place, by_window]))


def _runs(keys: _Places) -> tuple[_Places, _Places]:
    """Return for each place where the run of equal keys that it stands in begins, and where it ends."""
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    run = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(keys))))
    return begins[run], np.append(begins, len(keys))[run + 1]
