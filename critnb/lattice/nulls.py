"""The registry of raster nulls, and drawing them: what is left when the order of events carries nothing.

Everything else follows from a null's entry in ``RASTER_NULLS``: its replicates, tables, columns, labels and checks.
Every draw is keyed by (seed, null, condition, sequence, replicate), never by its place in a batch, so a shard made
alone equals the same shard made among others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import NullId
from critnb.errors import DataError
from critnb.lattice import margin_nulls, row_nulls, token_nulls
from critnb.lattice.conditions import ConditionTable
from critnb.lattice.randomness import Words, root_key, words
from critnb.lattice.raster import Counts, Occupancy, Raster, Tokens
from critnb.lattice.source import DrawCounts, DrawOccupancy, Source

# Half a megabyte of keys and as much scratch stay in a second-level cache; blocks of 8 MB took 1.7 times as long.
_BLOCK_SITES = 1 << 16


@dataclass(frozen=True)
class RasterNull:
    """One raster null: its names, what it keeps exactly, and how it is drawn.

    short: its part of a column's name; name: its name in the heads of tables; noun: its name after "the" in a sentence;
    rastered: what was done to a raster, in words; breaks: what it does to events and what is left, for captions;
    in_findings: words behind the noun and behind "above" in S05's findings; asks: what an excess over it is about, where that is
    not all of branching. keeps: what it keeps exactly, in words, and
    ``kept(source, null)`` says of drawn counts [N, L, T] whether it did. draw: the function that draws counts;
    draw_occupancy: a faster way to the occupancy of the very same draw. reads_tokens: it needs the token ids of the windows.
    why_not: why it cannot be drawn of a source, empty where it can; its draws are then empty rasters.
    """

    null_id: NullId
    short: str
    name: str
    noun: str
    rastered: str
    breaks: str
    keeps: str
    kept: Callable[[Source, Counts], bool]
    draw: Callable[[Source], DrawCounts]
    draw_occupancy: Callable[[Source], DrawOccupancy] | None = None
    in_findings: tuple[str, str] = ("", "")
    asks: str = ""
    reads_tokens: bool = False
    why_not: Callable[[Source], str] = lambda _: ""

    @property
    def adjective(self) -> str:
        """The name as it stands before a noun, like the circular-shift null."""
        return self.name.replace(" ", "-")

    def occupancy(self, source: Source) -> DrawOccupancy:
        """Return the function that draws the occupancy [P, L, T] of this null."""
        if self.draw_occupancy is not None:
            return self.draw_occupancy(source)
        draw = self.draw(source)
        return lambda sequence, keys: draw(sequence, keys) > 0


_NO_KEYS = np.empty(0, dtype=np.uint64)
_ROW_COUNTS = "every row of the null holds the counts of the real row"

RASTER_NULLS: Mapping[NullId, RasterNull] = {
    null.null_id: null
    for null in (
        RasterNull(
            NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM,
            short="perm",
            name="permutation",
            noun="permutation null",
            rastered="permuted within layers",
            breaks="events of every layer put in any order; it breaks time and depth",
            keeps=_ROW_COUNTS,
            kept=row_nulls.rows_kept,
            draw=row_nulls.permutation,
            draw_occupancy=row_nulls.permutation_occupancy,
        ),
        RasterNull(
            NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT,
            short="shift",
            name="circular shift",
            noun="circular shift",
            rastered="circularly shifted within layers",
            breaks="every layer's row rolled whole; it keeps b_time up to the seam, so that only the part along depth is left "
            "in Δb",
            keeps=_ROW_COUNTS,
            kept=row_nulls.rows_kept,
            draw=row_nulls.circular_shift,
            draw_occupancy=row_nulls.circular_shift_occupancy,
            in_findings=(
                ", which keeps each layer's own time course",
                ": there, layers are active together at the same tokens",
            ),
            asks="depth only",
        ),
        RasterNull(
            NullId.NULL_RASTER_FIXED_MARGINS,
            short="margins",
            name="fixed margins",
            noun="fixed-margins null",
            rastered="drawn anew, the active sites of every layer and of every token kept",
            breaks="every layer and every token of a window keeps how many active sites it has, all else is random",
            keeps=f"{_ROW_COUNTS}, and every token has as many active layers",
            kept=margin_nulls.margins_kept,
            draw=margin_nulls.fixed_margins,
            draw_occupancy=margin_nulls.fixed_margins_occupancy,
            in_findings=(
                ", which keeps how active each token and each layer of a window is",
                ": there, which layers are active at which tokens is not settled by how active either is",
            ),
            asks="beyond hot tokens and hot layers",
        ),
        RasterNull(
            NullId.NULL_RASTER_LAYER_ORDER,
            short="layers",
            name="layer order",
            noun="layer-order null",
            rastered="with its layers in random order",
            breaks="a window's layers put in any order; it keeps b_time and what is active together, and breaks who is next to "
            "whom in depth",
            keeps="every window of the null has the rows of the real one, in any order",
            kept=row_nulls.layers_kept,
            draw=row_nulls.layer_order,
            draw_occupancy=row_nulls.layer_order_occupancy,
            in_findings=(
                ", which keeps what is active together at each token",
                ": there, neighbouring layers are active together more often than others",
            ),
            asks="adjacency in depth",
        ),
        RasterNull(
            NullId.NULL_RASTER_TOKEN_IDENTITY,
            short="tokens",
            name="token identity",
            noun="token-identity null",
            rastered="drawn from the same tokens in other windows",
            breaks="every site has the events of the same token at that layer in some other window; it breaks what the context "
            "does",
            keeps="every count of the null is one that its token has at that layer in another window",
            kept=token_nulls.identity_kept,
            draw=token_nulls.token_identity,
            draw_occupancy=token_nulls.token_identity_occupancy,
            in_findings=(
                ", which keeps what each token does wherever it stands",
                ": there, a token's context matters",
            ),
            asks="context",
            reads_tokens=True,
            why_not=token_nulls.why_not,
        ),
    )
}
# The null of delta_b_*, of the avalanches' exponents and of the falsifiers X1 and X4; its expectation has a closed form.
PRIMARY = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
# The nulls that b_tot is compared with besides, in the order of their columns.
SECONDARY: tuple[RasterNull, ...] = tuple(null for null_id, null in RASTER_NULLS.items() if null_id != PRIMARY)
# What a rule that asks for an excess over each of them calls them.
ALL_NULLS = "all raster nulls"
# Those that can be drawn of any array of counts.
WITHOUT_TOKENS: tuple[NullId, ...] = tuple(null_id for null_id, null in RASTER_NULLS.items() if not null.reads_tokens)


def null_of(null_id: NullId) -> RasterNull:
    """Return the entry of a raster null; raises DataError naming it where it is not registered."""
    if null_id not in RASTER_NULLS:
        raise DataError(f"nulls: {null_id} does not act on rasters; choose one of {', '.join(RASTER_NULLS)}")
    return RASTER_NULLS[null_id]


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
    for planes, sequence, keys in _blocks(counts, stream, replicates):
        drawn[planes] = draw(sequence, keys)
    return drawn.reshape(len(replicates), n, layers, n_tokens)


def null_raster(raster: Raster, null_id: NullId, *, seed: int, replicate: int = 0) -> Raster:
    """Return one replicate of a raster null of every condition, its conditions marked with ``null_id``."""
    counts = np.empty_like(raster.counts)
    for cond_id, condition in enumerate(raster.conditions):
        (counts[cond_id],) = draw_null(
            raster.counts[cond_id],
            raster.seq_id,
            null_id,
            seed=seed,
            condition_key=condition.key(),
            replicates=(replicate,),
            tokens=raster.tokens,
        )
    conditions = ConditionTable(condition.with_null(null_id) for condition in raster.conditions)
    return Raster(counts, conditions, raster.seq_id, raster.tokens)


def occupancy_blocks(
    counts: Counts | Occupancy,
    seq_id: npt.NDArray[np.int32],
    null_id: NullId,
    *,
    seed: int,
    condition_key: bytes,
    replicates: Sequence[int],
    tokens: Tokens | None = None,
) -> Iterator[tuple[slice, Occupancy]]:
    """Yield the occupancy of a raster null in blocks that fit the cache, without ever making all of its counts.

    counts [N, L, T]. The R * N planes (replicate outer, sequence inner) come in order as (slice of planes, bool
    [P, L, T]); they equal ``draw_null(...) > 0`` with the first two axes flattened. Raises DataError as ``draw_null``.
    """
    stream = _window_keys(seq_id, null_id, seed, condition_key)
    draw = null_of(null_id).occupancy(_source(counts, tokens, null_id, seq_id, stream))
    for planes, sequence, keys in _blocks(counts, stream, replicates):
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
    counts: Counts | Occupancy, stream: Words, replicates: Sequence[int]
) -> Iterator[tuple[slice, npt.NDArray[np.intp], Words]]:
    """Yield (slice of planes, their sequence index [P], their keys [P, 1, 1]) in pieces of about _BLOCK_SITES sites."""
    n, layers, tokens = counts.shape
    if not len(replicates):
        raise DataError("nulls: at least one replicate is needed")
    keys = words(stream, np.asarray(replicates, dtype=np.int64)[:, None]).reshape(-1)
    step = max(1, _BLOCK_SITES // max(1, layers * tokens))
    for start in range(0, keys.size, step):
        planes = slice(start, min(start + step, keys.size))
        yield planes, np.arange(planes.start, planes.stop) % n, keys[planes, None, None]
