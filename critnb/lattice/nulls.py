"""The registry of raster nulls: what is left when the order of events carries nothing.

Everything else follows from a null's entry in ``RASTER_NULLS``: its replicates, tables, columns, labels and checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from critnb.canon import NullId
from critnb.errors import DataError
from critnb.lattice import margin_nulls, row_nulls, token_nulls
from critnb.lattice.bits import pack
from critnb.lattice.planes import Counts
from critnb.lattice.source import DrawBits, DrawCounts, Source


@dataclass(frozen=True)
class RasterNull:
    """One raster null: its names, what it keeps exactly, and how it is drawn.

    short: its part of a column's name; name: its name in the heads of tables; noun: its name after "the" in a sentence;
    rastered: what was done to a raster, in words; breaks: what it does to events and what is left, for captions;
    in_findings: words behind the noun and behind "above" in S05's findings; asks: what an excess over it is about, where that is
    not all of branching. keeps: what it keeps exactly, in words, and
    ``kept(source, null)`` says of drawn counts [N, L, T] whether it did. draw: the function that draws counts;
    draw_bits: a faster way to the occupancy of the very same draw, as bits. reads_tokens: it needs the token ids of the windows.
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
    draw_bits: Callable[[Source], DrawBits] | None = None
    in_findings: tuple[str, str] = ("", "")
    asks: str = ""
    reads_tokens: bool = False
    why_not: Callable[[Source], str] = lambda _: ""

    @property
    def adjective(self) -> str:
        """The name as it stands before a noun, like the circular-shift null."""
        return self.name.replace(" ", "-")

    def bits(self, source: Source) -> DrawBits:
        """Return the function that draws the occupancy of this null as bits [P, L, W]."""
        if self.draw_bits is not None:
            return self.draw_bits(source)
        draw = self.draw(source)
        return lambda sequence, keys: pack(draw(sequence, keys) > 0)


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
            draw_bits=row_nulls.permutation_bits,
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
            draw_bits=row_nulls.circular_shift_bits,
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
            draw_bits=margin_nulls.fixed_margins_bits,
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
            draw_bits=row_nulls.layer_order_bits,
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
            draw_bits=token_nulls.token_identity_bits,
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
