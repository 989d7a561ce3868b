"""T05_CRACKLING_DIAGNOSTICS: how far the crackling slope can be trusted, one row a row of T01."""

from __future__ import annotations

from critnb.canon import CANON
from critnb.report.schema.columns import (
    GAIN,
    GRID_KEY,
    NOT_NEGATIVE,
    PROVENANCE,
    SHARE,
    SPIKES,
    count,
    flag,
    interval,
    number,
    optional,
    text,
)
from critnb.report.schema.model import TableSchema

T05 = TableSchema(
    name=CANON.TABLE.T05_CRACKLING_DIAGNOSTICS,
    rows="one row a row of T01: the least-squares slope of log E[S|D] on log D over all avalanches",
    key=GRID_KEY,
    columns=(
        *PROVENANCE,
        *SPIKES,
        GAIN,
        number("crackling_gamma", "-", "slope of log mean size on log duration in tokens"),
        *interval("crackling", "-"),
        number("crackling_ci_width", "-", "width of that interval", NOT_NEGATIVE),
        count("n_duration_points", "durations", "durations in the range with enough avalanches"),
        count("n_avalanches_used", "avalanches", "avalanches of those durations"),
        number("r2", "-", "coefficient of determination of the line", SHARE),
        flag("pass", "enough points, and an interval that is neither too wide nor of width zero"),
        *optional(
            text("opt_reason", "why not, else empty"),
            count("opt_dropped_replicates", "replicates", "bootstrap replicates that lost too many durations"),
            number(
                "opt_crackling_gamma_perm",
                "-",
                "the slope of one replicate of the permutation null, among the same durations",
            ),
            *interval("opt_crackling_gamma_perm", "-"),
            number("opt_r2_perm", "-", "r2 of that line", SHARE),
            text("opt_reason_perm", "why the null's is not there or does not pass, else empty"),
            number("opt_gamma_collapse", "-", "slope that collapses the mean avalanche profiles best"),
            text("opt_reason_collapse", "why it is not available, else empty"),
        ),
    ),
    appendix=True,
)
