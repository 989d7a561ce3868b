"""Drawing the registered nulls of a raster.

Every draw is keyed by (seed, null, condition, sequence, replicate), never by its place in a batch, so a shard made
alone equals the same shard made among others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from critnb.canon import NullId
from critnb.errors import DataError
from critnb.lattice.bits import Bits
from critnb.lattice.conditions import ConditionTable
from critnb.lattice.nulls import null_of
from critnb.lattice.planes import Counts, HeldPlanes, MadePlanes
from critnb.lattice.randomness import Words, root_key, words
from critnb.lattice.raster import Occupancy, Raster, Tokens
from critnb.lattice.source import Source

# Half a megabyte of keys and as much scratch stay in a second-level cache; blocks of 8 MB took 1.7 times as long.
_BLOCK_SITES = 1 << 16
# Of bits, as many sites take an eighth of a megabyte; with fewer, calls cost more than draws.
_BLOCK_BITS = 1 << 20
_NO_KEYS = np.empty(0, dtype=np.uint64)


def draw_null(
    counts: Counts,
    seq_id: npt.NDArray[np.int32],
    null_id: NullId,
    *,
    seed: int,
    condition_key: bytes,
    replicates: Sequence[int],
    tokens: Tokens | None = None,
) -> Counts:
    """Draw replicates of a raster null of one condition.

    counts uint16 [N, L, T], seq_id int32 [N], tokens int32 [N, T] for the nulls that read them; returns uint16
    [R, N, L, T], one entry per value of ``replicates``.

    Raises:
        DataError: null_id is no raster null, it needs tokens and there are none, or seq_id is not of the sequences.
    """
    n, layers, n_tokens = counts.shape
    stream = _window_keys(seq_id, null_id, seed, condition_key)
    draw = null_of(null_id).draw(_source(counts, tokens, null_id, seq_id, stream))
    drawn = np.empty((len(replicates) * n, layers, n_tokens), dtype=counts.dtype)
    for planes, sequence, keys in _blocks(counts, stream, replicates, _BLOCK_SITES):
        drawn[planes] = draw(sequence, keys)
    return drawn.reshape(len(replicates), n, layers, n_tokens)


def null_raster(raster: Raster, null_id: NullId, *, seed: int, replicate: int = 0) -> Raster:
    """Return one replicate of a raster null of every condition, its conditions marked with ``null_id``."""
    drawn = null_when_asked(raster, null_id, seed=seed, replicate=replicate)
    whole = isinstance(raster.counts, np.ndarray)
    counts = np.asarray(drawn.counts) if whole else HeldPlanes.of(drawn.counts, drawn.counts.shape[1:])
    return replace(drawn, counts=counts)


def null_when_asked(raster: Raster, null_id: NullId, *, seed: int, replicate: int = 0) -> Raster:
    """Return what ``null_raster`` does, with a condition's plane drawn anew each time that it is asked for."""

    def draw(cond_id: int) -> Counts:
        key = raster.conditions[cond_id].key()
        drawn: Counts
        (drawn,) = draw_null(
            raster.counts[cond_id], raster.seq_id, null_id,
            seed=seed, condition_key=key, replicates=(replicate,), tokens=raster.tokens,
        )  # fmt: skip
        return drawn

    n_conditions, n, layers, n_tokens = raster.counts.shape
    conditions = ConditionTable(condition.with_null(null_id) for condition in raster.conditions)
    counts = MadePlanes(draw, tuple(range(n_conditions)), (n, layers, n_tokens))
    return Raster(counts, conditions, raster.seq_id, raster.tokens)


def bit_blocks(
    counts: Counts | Occupancy,
    seq_id: npt.NDArray[np.int32],
    null_id: NullId,
    *,
    seed: int,
    condition_key: bytes,
    replicates: Sequence[int],
    tokens: Tokens | None = None,
) -> Iterator[tuple[slice, Bits]]:
    """Yield the occupancy of a raster null in blocks that fit the cache, without ever making all of its counts.

    counts [N, L, T]. The R * N planes (replicate outer, sequence inner) come in order as (slice of planes, bits uint64
    [P, L, W]); unpacked they equal ``draw_null(...) > 0`` with the first two axes flattened. Raises DataError as ``draw_null``.
    """
    stream = _window_keys(seq_id, null_id, seed, condition_key)
    draw = null_of(null_id).bits(_source(counts, tokens, null_id, seq_id, stream))
    for planes, sequence, keys in _blocks(counts, stream, replicates, _BLOCK_BITS):
        yield planes, draw(sequence, keys)


def why_not_drawn(counts: Counts | Occupancy, tokens: Tokens | None, null_id: NullId) -> str:
    """Return why a null cannot be drawn of the counts [N, L, T] of one condition, empty where it can."""
    null = null_of(null_id)
    if null.reads_tokens and tokens is None:
        return "it is drawn from the token ids of the windows, which are not known here"
    return null.why_not(_source(counts, tokens, null_id, np.arange(len(counts), dtype=np.int32), _NO_KEYS))


def marginals_exact(real: Raster, null: Raster) -> npt.NDArray[np.bool_]:
    """Say for each condition [C] whether the null kept of the real raster what it must keep exactly.

    Raises:
        DataError: the two rasters are not of the same shape and windows, or a condition of ``null`` is of no raster null.
    """
    if real.counts.shape != null.counts.shape or not np.array_equal(real.seq_id, null.seq_id):
        raise DataError("nulls: marginals can only be compared between rasters of the same conditions and windows")
    return np.array(
        [
            null_of(condition.null_id).kept(
                _source(counts, real.tokens, condition.null_id, real.seq_id, _NO_KEYS), drawn
            )
            for condition, counts, drawn in zip(null.conditions, real.counts, null.counts, strict=True)
        ],
        dtype=np.bool_,
    )


def _source(
    counts: Counts | Occupancy, tokens: Tokens | None, null_id: NullId, seq_id: npt.NDArray[np.int32], stream: Words
) -> Source:
    if tokens is None and null_of(null_id).reads_tokens:
        raise DataError(f"nulls: {null_id} is drawn from the token ids of the windows, which are not known here")
    if len(seq_id) != len(counts):
        raise DataError(f"nulls: {len(counts)} sequences for {len(seq_id)} values of seq_id")
    return Source(counts, tokens, seq_id, stream)  # type: ignore[arg-type]  # an occupancy is as good as counts of 0 and 1


def _window_keys(seq_id: npt.NDArray[np.int32], null_id: NullId, seed: int, condition_key: bytes) -> Words:
    """Return the stream [N] of every window, whose words are the keys of its replicates."""
    return words(root_key(seed, null_id.encode(), condition_key), seq_id)


def _blocks(
    counts: Counts | Occupancy, stream: Words, replicates: Sequence[int], sites: int
) -> Iterator[tuple[slice, npt.NDArray[np.intp], Words]]:
    """Yield (slice of planes, their sequence index [P], their keys [P, 1, 1]) in pieces of about so many sites."""
    n, layers, tokens = counts.shape
    if not len(replicates):
        raise DataError("nulls: at least one replicate is needed")
    keys = words(stream, np.asarray(replicates, dtype=np.int64)[:, None]).reshape(-1)
    step = max(1, sites // max(1, layers * tokens))
    for start in range(0, keys.size, step):
        planes = slice(start, min(start + step, keys.size))
        yield planes, np.arange(planes.start, planes.stop) % n, keys[planes, None, None]
