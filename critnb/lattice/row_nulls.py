"""Nulls that move whole rows, or events within a row; a row is the T counts of one (sequence, layer)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.lattice.bits import pack
from critnb.lattice.planes import Counts
from critnb.lattice.randomness import Words, below, words
from critnb.lattice.source import DrawBits, DrawCounts, Sequences, Source, occupied_first, site_words

# Up to this share of occupied sites the compiled loop is the faster one, by ten times where events are rare.
_SPARSE = 0.25


def permutation(source: Source) -> DrawCounts:
    """Permute each row over t, independently and uniformly."""
    if np.count_nonzero(source.counts) > _SPARSE * source.counts.size:
        return lambda sequence, keys: _permuted(source.counts[sequence], keys)
    from critnb.lattice import permuting

    return lambda sequence, keys: permuting.permuted(source.counts, sequence, keys[:, 0, 0])


def permutation_bits(source: Source) -> DrawBits:
    """Permute each row; of the occupancy it takes the number of occupied sites per row only."""
    from critnb.lattice import bit_kernels

    events = np.count_nonzero(source.counts, axis=-1)
    return lambda sequence, keys: bit_kernels.permuted(events, source.counts.shape[-1], sequence, keys[:, 0, 0])


def circular_shift(source: Source) -> DrawCounts:
    """Roll each row over t by its own offset, uniform in 1..T-1 (rows of one token stay).

    The seam puts the last token before the first: of a row's T-1 neighbouring pairs one is replaced by an unrelated
    one, so a row of autocorrelation r and density p loses about r (1-p) / (T-1) of its b_time.
    """
    return lambda sequence, keys: _shifted(source.counts[sequence], keys)


def circular_shift_bits(source: Source) -> DrawBits:
    """Roll each row of the occupancy as ``circular_shift`` rolls the counts."""
    from critnb.lattice import bit_kernels

    occupied, tokens = source.counts > 0, source.counts.shape[-1]
    bits = pack(occupied)
    if tokens < 2:
        return lambda sequence, _: bits[sequence]
    # the row written twice, and room for the words that a window into it ends in
    twice = np.concatenate([pack(np.concatenate([occupied, occupied], axis=-1)), np.zeros_like(bits)], axis=-1)
    return lambda sequence, keys: bit_kernels.shifted(twice, tokens, sequence, keys[:, 0, 0])


def layer_order(source: Source) -> DrawCounts:
    """Put the layers of each window in a uniformly random order, each row as it is."""
    return lambda sequence, keys: _reordered(source.counts, sequence, keys)


def layer_order_bits(source: Source) -> DrawBits:
    """Put the layers of the occupancy in the order of ``layer_order``."""
    from critnb.lattice import bit_kernels

    bits = pack(source.counts > 0)
    return lambda sequence, keys: bit_kernels.reordered(bits, sequence, keys[:, 0, 0])


def rows_kept(real: Source, null: Counts) -> bool:
    """Say whether every row of the null [N, L, T] holds the counts of the real row, in any order."""
    return np.array_equal(np.sort(real.counts, axis=-1), np.sort(null, axis=-1))


def layers_kept(real: Source, null: Counts) -> bool:
    """Say whether the rows of every window of the null [N, L, T] are the real ones, in any order."""
    return np.array_equal(_rows_in_order(real.counts), _rows_in_order(null))


def _rows_in_order(counts: Counts) -> Counts:
    """Return the rows of every window in ascending order of their bytes, whatever order they came in."""
    if not counts.size:
        return counts
    rows = np.ascontiguousarray(counts).view(np.dtype((np.void, counts.itemsize * counts.shape[-1])))[..., 0]
    return np.take_along_axis(counts, np.argsort(rows, axis=-1)[..., None], axis=1)


def _permuted(counts: Counts, keys: Words) -> Counts:
    """Lay the counts of a row, occupied ones first, along the sites in ascending order of their words."""
    order = np.argsort(site_words(keys, *counts.shape[1:]), axis=-1)
    permuted = np.empty_like(counts)
    np.put_along_axis(permuted, order, occupied_first(counts), axis=-1)
    return permuted


def _shifted(rows: Counts, keys: Words) -> Counts:
    """Roll each row by its offset: a window into the row written twice."""
    _, layers, tokens = rows.shape
    if tokens < 2:
        return rows
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([rows, rows], axis=-1), tokens, axis=-1)
    plane, layer = np.ogrid[: len(rows), :layers]
    rolled: Counts = windows[plane, layer, _offsets(keys, layers, tokens)]
    return rolled


def _offsets(keys: Words, layers: int, tokens: int) -> npt.NDArray[np.int64]:
    """Return how far each row [P, L] rolls, in 1..T-1."""
    return 1 + below(words(keys[..., 0], np.arange(layers)), tokens - 1)


def _reordered(rows: Counts, sequence: Sequences, keys: Words) -> Counts:
    """Take the rows of windows [N, L, T] in ascending order of their words."""
    order = np.argsort(words(keys[..., 0], np.arange(rows.shape[1])), axis=-1)
    reordered: Counts = rows[sequence[:, None], order]
    return reordered
