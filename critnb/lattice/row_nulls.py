"""How the nulls that act on single rows are drawn; a row is the T counts of one (sequence, layer).

Each maker takes what the null is drawn from and returns the function that draws planes [P, L, T] of the sequences [P] that
it is given, one key [P, 1, 1] per plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from critnb.lattice.randomness import Words, below, words
from critnb.lattice.raster import Counts, Occupancy, Tokens

Sequences = npt.NDArray[np.intp]
DrawCounts = Callable[[Sequences, Words], Counts]
DrawOccupancy = Callable[[Sequences, Words], Occupancy]

# Up to this share of occupied sites the compiled loop is the faster one, by ten times where events are rare.
_SPARSE = 0.25

_Site = TypeVar("_Site", np.uint16, np.bool_)


@dataclass(frozen=True, eq=False)
class Source:
    """What a null is drawn from: the counts uint16 [N, L, T] of one condition and, where known, token ids [N, T]."""

    counts: Counts
    tokens: Tokens | None = None


def permutation(source: Source) -> DrawCounts:
    """Permute each row over t, independently and uniformly."""
    if np.count_nonzero(source.counts) > _SPARSE * source.counts.size:
        return lambda sequence, keys: _permuted(source.counts[sequence], keys)
    from critnb.lattice import permuting

    return lambda sequence, keys: permuting.permuted(source.counts, sequence, keys[:, 0, 0])


def permutation_occupancy(source: Source) -> DrawOccupancy:
    """Permute each row; of the occupancy it takes the number of occupied sites per row only."""
    k = (source.counts > 0).sum(axis=-1, dtype=np.intp)
    return lambda sequence, keys: _permuted_occupancy(k[sequence], source.counts.shape[-1], keys)


def circular_shift(source: Source) -> DrawCounts:
    """Roll each row over t by its own offset, uniform in 1..T-1 (rows of one token stay).

    The seam puts the last token before the first: of a row's T-1 neighbouring pairs one is replaced by an unrelated
    one, so a row of autocorrelation r and density p loses about r (1-p) / (T-1) of its b_time.
    """
    return lambda sequence, keys: _shifted(source.counts[sequence], keys)


def circular_shift_occupancy(source: Source) -> DrawOccupancy:
    """Roll each row of the occupancy as ``circular_shift`` rolls the counts."""
    occupied = source.counts > 0
    return lambda sequence, keys: _shifted(occupied[sequence], keys)


def rows_kept(real: Counts, null: Counts) -> bool:
    """Say whether every row of the null [..., T] holds the counts of the real row, in any order."""
    return np.array_equal(np.sort(real, axis=-1), np.sort(null, axis=-1))


def _site_words(keys: Words, layers: int, tokens: int) -> Words:
    return words(keys, np.arange(layers * tokens).reshape(layers, tokens))


def _permuted_occupancy(k: Sequences, tokens: int, keys: Words) -> Occupancy:
    """Occupy, in each row, the k [P, L] sites with the smallest words: a cut between order statistics, no argsort."""
    drawn = _site_words(keys, k.shape[1], tokens)
    k = k[..., None]
    cut = np.take_along_axis(np.sort(drawn, axis=-1), np.minimum(k, tokens - 1), axis=-1)
    permuted: Occupancy = drawn < cut
    permuted |= k == tokens
    return permuted


def _permuted(counts: Counts, keys: Words) -> Counts:
    """Lay the counts of a row, occupied ones first, along the sites in ascending order of their words."""
    order = np.argsort(_site_words(keys, *counts.shape[1:]), axis=-1)
    occupied_first = np.argsort(counts == 0, axis=-1, kind="stable")
    permuted = np.empty_like(counts)
    np.put_along_axis(permuted, order, np.take_along_axis(counts, occupied_first, axis=-1), axis=-1)
    return permuted


def _shifted(rows: npt.NDArray[_Site], keys: Words) -> npt.NDArray[_Site]:
    """Roll each row by its offset: a window into the row written twice."""
    _, layers, tokens = rows.shape
    if tokens < 2:
        return rows
    offset = 1 + below(words(keys[..., 0], np.arange(layers)), tokens - 1)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([rows, rows], axis=-1), tokens, axis=-1)
    plane, layer = np.ogrid[: len(rows), :layers]
    rolled: npt.NDArray[_Site] = windows[plane, layer, offset]
    return rolled
