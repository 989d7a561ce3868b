"""T09_EXPONENTS: size and duration exponents under both adjacencies and size definitions, real beside permuted."""

from __future__ import annotations

from critnb.canon import CANON, Adjacency, NullId, SizeDef
from critnb.report.schema import columns as col
from critnb.report.schema.model import TableSchema

T09 = TableSchema(
    name=CANON.TABLE.T09_EXPONENTS,
    rows="per row of T01, null, adjacency and size definition; fits leave out avalanches that touch an edge; the null's are on "
    "the supports and among the durations of the real raster",
    key=(*col.GRID_KEY, "null_id", "adjacency", "size_def"),
    columns=(
        *col.AT_EACH_GAIN,
        col.text("null_id", "the real raster, or one replicate of the permutation null", NullId),
        col.text("adjacency", "which sites are neighbours", Adjacency),
        col.text("size_def", "S as the sum of events, or as the number of sites", SizeDef),
        col.number("occupancy", "sites/site", "share of lattice sites with an event", col.SHARE),
        col.count("n_avalanches", "avalanches", "connected components"),
        col.count("n_uncensored", "avalanches", "those that touch no edge of window and stack"),
        col.number("xmin_S", "size", "lower end of the support for S: KS-optimal in the real raster", col.NOT_NEGATIVE),
        col.count("n_tail_S", "avalanches", "uncensored avalanches on that support"),
        *col.with_interval("tau_S", "-", "exponent of P(S) on that support"),
        col.number(
            "xmin_D", "tokens", "lower end of the support for D: KS-optimal in the real raster", col.NOT_NEGATIVE
        ),
        col.count("n_tail_D", "avalanches", "uncensored avalanches on that support"),
        *col.with_interval("alpha_D", "-", "exponent of P(D) on that support"),
        col.number("crackling_gamma", "-", "slope of log E[S|D] on log D over all avalanches"),
        *col.interval("crackling", "-"),
        *col.with_interval("gamma_uncensored", "-", "the same over uncensored avalanches"),
        col.count("n_duration_points", "durations", "durations that crackling_gamma rests on"),
        *col.with_interval("gamma_pred", "-", "(alpha_D - 1) / (tau_S - 1)"),
        *col.with_interval("dcc", "-", "|gamma_uncensored - gamma_pred|"),
        col.text("reason", "what is not available and why, else empty"),
    ),
    appendix=True,
)
