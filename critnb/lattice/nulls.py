"""Nulls of the raster: what is left when the order of events in time carries nothing.

Every draw is keyed by (seed, null, condition, sequence, replicate), never by its place in a batch, so a shard made
alone equals the same shard made among others. A row is the T counts of one (sequence, layer).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from critnb.canon import NullId
from critnb.errors import DataError
from critnb.lattice.conditions import ConditionTable
from critnb.lattice.randomness import Words, below, root_key, words
from critnb.lattice.raster import Counts, Occupancy, Raster

RASTER_NULLS = (NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT)

_Site = TypeVar("_Site", np.uint16, np.bool_)

# Half a megabyte of keys and as much scratch stay in a second-level cache; blocks of 8 MB took 1.7 times as long.
_BLOCK_SITES = 1 << 16


def permute(
    counts: Counts, seq_id: npt.NDArray[np.int32], *, seed: int, condition_key: bytes, replicates: Sequence[int]
) -> Counts:
    """Permute each row over t, independently and uniformly.

    counts uint16 [N, L, T], seq_id int32 [N]; returns uint16 [R, N, L, T], one entry a value of ``replicates``.
    """
    null_id = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
    return _draw(counts, seq_id, null_id, seed=seed, condition_key=condition_key, replicates=replicates)


def circular_shift(
    counts: Counts, seq_id: npt.NDArray[np.int32], *, seed: int, condition_key: bytes, replicates: Sequence[int]
) -> Counts:
    """Roll each row over t by its own offset, uniform in 1..T-1 (rows of one token stay); shapes as ``permute``.

    The seam puts the last token before the first: of a row's T-1 neighbouring pairs one is replaced by an unrelated
    one, so a row of autocorrelation r and density p loses about r (1-p) / (T-1) of its b_time.
    """
    null_id = NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
    return _draw(counts, seq_id, null_id, seed=seed, condition_key=condition_key, replicates=replicates)


def null_raster(raster: Raster, null_id: NullId, *, seed: int, replicate: int = 0) -> Raster:
    """Return one replicate of a raster null of every condition, its conditions marked with ``null_id``."""
    counts = np.empty_like(raster.counts)
    for cond_id, condition in enumerate(raster.conditions):
        counts[cond_id] = _draw(
            raster.counts[cond_id],
            raster.seq_id,
            null_id,
            seed=seed,
            condition_key=condition.key(),
            replicates=(replicate,),
        )[0]
    return Raster(counts, ConditionTable(c.with_null(null_id) for c in raster.conditions), raster.seq_id)


def occupancy_blocks(
    counts: Counts | Occupancy,
    seq_id: npt.NDArray[np.int32],
    null_id: NullId,
    *,
    seed: int,
    condition_key: bytes,
    replicates: Sequence[int],
) -> Iterator[tuple[slice, Occupancy]]:
    """Yield the occupancy of a raster null in blocks that fit the cache, without ever making its counts.

    counts [N, L, T]. The R * N planes (replicate outer, sequence inner) come in order as (slice of planes, bool
    [P, L, T]); they equal ``permute(...) > 0`` or ``circular_shift(...) > 0`` with the first two axes flattened.
    """
    occupied = counts > 0
    k = occupied.sum(axis=-1, dtype=np.intp)
    for planes, sequence, keys in _blocks(occupied, seq_id, null_id, seed, condition_key, replicates):
        if null_id == NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM:
            yield planes, _permuted_occupancy(k[sequence], counts.shape[-1], keys)
        else:
            yield planes, _shifted(occupied[sequence], keys)


def marginals_exact(real: Raster, null: Raster) -> npt.NDArray[np.bool_]:
    """Say for each condition [C] whether every row of the null holds exactly the counts of the real row.

    Raises:
        DataError: the two rasters are not of the same shape and windows.
    """
    if real.counts.shape != null.counts.shape or not np.array_equal(real.seq_id, null.seq_id):
        raise DataError("nulls: marginals can only be compared between rasters of the same conditions and windows")
    pairs = zip(real.counts, null.counts, strict=True)
    return np.array([np.array_equal(np.sort(a, axis=-1), np.sort(b, axis=-1)) for a, b in pairs], dtype=np.bool_)


def token_shuffle_order(special: npt.NDArray[np.bool_], *, seed: int, seq_id: int) -> npt.NDArray[np.int64]:
    """Return the order [T] in which NULL_TOKEN_SHUFFLE_INPUT reads a window: ``shuffled = tokens[order]``.

    The first and the last position and those marked in ``special`` bool [T] stay; the others are permuted uniformly.
    The draw depends on seed and seq_id only, so that every condition sees the same shuffled window.
    """
    movable = ~special
    movable[:1] = movable[-1:] = False
    places = np.flatnonzero(movable)
    key = words(root_key(seed, NullId.NULL_TOKEN_SHUFFLE_INPUT.encode()), seq_id)
    order = np.arange(len(special))
    order[places] = places[np.argsort(words(key, np.arange(len(places))))]
    return order


def _draw(
    counts: Counts,
    seq_id: npt.NDArray[np.int32],
    null_id: NullId,
    *,
    seed: int,
    condition_key: bytes,
    replicates: Sequence[int],
) -> Counts:
    n, layers, tokens = counts.shape
    planes_out = np.empty((len(replicates) * n, layers, tokens), dtype=counts.dtype)
    draw = _permuted if null_id == NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM else _shifted
    for planes, sequence, keys in _blocks(counts, seq_id, null_id, seed, condition_key, replicates):
        planes_out[planes] = draw(counts[sequence], keys)
    return planes_out.reshape(len(replicates), n, layers, tokens)


def _blocks(
    counts: Counts | Occupancy,
    seq_id: npt.NDArray[np.int32],
    null_id: NullId,
    seed: int,
    condition_key: bytes,
    replicates: Sequence[int],
) -> Iterator[tuple[slice, npt.NDArray[np.intp], Words]]:
    """Yield (slice of planes, their sequence index [P], their keys [P, 1, 1]) in pieces of about _BLOCK_SITES sites."""
    if null_id not in RASTER_NULLS:
        raise DataError(f"nulls: {null_id} does not act on rasters; choose one of {', '.join(RASTER_NULLS)}")
    n, layers, tokens = counts.shape
    if not len(replicates):
        raise DataError("nulls: at least one replicate is needed")
    if len(seq_id) != n:
        raise DataError(f"nulls: {n} sequences for {len(seq_id)} values of seq_id")
    per_sequence = words(root_key(seed, null_id.encode(), condition_key), seq_id)
    keys = words(per_sequence, np.asarray(replicates, dtype=np.int64)[:, None]).reshape(-1)
    step = max(1, _BLOCK_SITES // max(1, layers * tokens))
    for start in range(0, keys.size, step):
        planes = slice(start, min(start + step, keys.size))
        yield planes, np.arange(planes.start, planes.stop) % n, keys[planes, None, None]


def _site_words(keys: Words, layers: int, tokens: int) -> Words:
    return words(keys, np.arange(layers * tokens).reshape(layers, tokens))


def _permuted_occupancy(k: npt.NDArray[np.intp], tokens: int, keys: Words) -> Occupancy:
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
