"""T06_ABLATIONS: the baseline, and g* put on each branch and band of the model."""

from __future__ import annotations

from critnb.canon import CANON
from critnb.report.schema import columns as col
from critnb.report.schema.model import TableSchema
from critnb.report.schema.nulls import excess_columns

T06 = TableSchema(
    name=CANON.TABLE.T06_ABLATIONS,
    rows="per spike definition and target rate: g1 under MLP_GLOBAL, and g* under each intervention that was run",
    key=("spike_def_id", "target_rate", "g_condition", "intervention_id"),
    complete=("spike_def_id", "target_rate"),
    columns=(
        *col.AT_G_CONDITIONS,
        col.INTERVENTION,
        col.text("gain_target", "what the gain multiplies, in words"),
        col.number("b_tot", col.PER_SITE, "b_time + b_depth on A_raster", col.TOTAL),
        col.number("delta_b_tot", col.PER_SITE, "b_tot minus its mean under the permutation null"),
        col.number("chi", col.SIZE, "susceptibility", col.NOT_NEGATIVE),
        col.number(
            "achieved_rate_max_abs_err",
            col.RATE,
            "largest distance of a layer's A_raster rate from its target",
            col.SHARE,
        ),
        col.count("n_sequences", "sequences", "windows of A_raster"),
        col.OCCUPANCY,
        *col.interval("opt_b_tot", col.PER_SITE),
        *col.interval("opt_delta_b_tot", col.PER_SITE),
        col.number("opt_delta_b_tot_p", "-", "one-sided p under the permutation null", col.SHARE),
        *col.interval("opt_chi", col.SIZE),
        *excess_columns(),
        col.number("opt_delta_b_tot_vs_g1", col.PER_SITE, "delta_b_tot minus that of g1, on the same windows"),
        *col.interval("opt_delta_b_tot_vs_g1", col.PER_SITE),
        col.BRANCHING_REASON,
    ),
    appendix=True,
)
