"""T05_CRACKLING_DIAGNOSTICS: how far the crackling slope can be trusted, one row per row of T01."""

from __future__ import annotations

from critnb.canon import CANON
from critnb.report.schema import columns as col
from critnb.report.schema.model import TableSchema

T05 = TableSchema(
    name=CANON.TABLE.T05_CRACKLING_DIAGNOSTICS,
    rows="one row per row of T01: the least-squares slope of log E[S|D] on log D over all avalanches",
    key=col.GRID_KEY,
    columns=(
        *col.AT_EACH_GAIN,
        col.number("crackling_gamma", "-", "slope of log mean size on log duration in tokens"),
        *col.interval("crackling", "-"),
        col.number("crackling_ci_width", "-", "width of that interval", col.NOT_NEGATIVE),
        col.count("n_duration_points", "durations", "durations in the range with enough avalanches"),
        col.count("n_avalanches_used", "avalanches", "avalanches of those durations"),
        col.number("r2", "-", "coefficient of determination of the line", col.SHARE),
        col.flag("pass", "enough points, and an interval that is neither too wide nor of width zero"),
        col.text("opt_reason", "why not, else empty"),
        col.count("opt_dropped_replicates", "replicates", "bootstrap replicates that lost too many durations"),
        col.number(
            "opt_crackling_gamma_perm",
            "-",
            "the slope of pooled replicates of the permutation null, among the same durations",
        ),
        *col.interval("opt_crackling_gamma_perm", "-"),
        col.number("opt_r2_perm", "-", "r2 of that line", col.SHARE),
        col.text("opt_reason_perm", "why the null's is not there or does not pass, else empty"),
        col.number("opt_gamma_collapse", "-", "slope that collapses the mean avalanche profiles best"),
        col.text("opt_reason_collapse", "why it is not available, else empty"),
        col.number(
            "opt_pooled_slope_perm",
            "replicates",
            "replicates of the permutation null that this slope rests on: as few as give what a slope needs",
            col.NOT_NEGATIVE,
        ),
        col.number(
            "opt_pooled_relation_perm",
            "replicates",
            "the most that its tau_S, alpha_D and uncensored gamma of T01 rest on",
            col.NOT_NEGATIVE,
        ),
        col.number(
            "opt_survival_D",
            "-",
            "share of avalanches with D >= the least that the longest duration of a slope can be",
            col.SHARE,
        ),
        col.number("opt_survival_D_perm", "-", "its mean over replicates of the permutation null", col.SHARE),
        col.number("opt_survival_S", "-", "share of avalanches with S of at least that number", col.SHARE),
        col.number("opt_survival_S_perm", "-", "its mean over those replicates", col.SHARE),
        col.number("opt_survival_replicates", "replicates", "how many those are", col.NOT_NEGATIVE),
        col.number(
            "opt_survival_p",
            "-",
            "one-sided p of both shares, the larger; NaN unless all replicates together are too sparse for a slope",
            col.SHARE,
        ),
    ),
    appendix=True,
)
