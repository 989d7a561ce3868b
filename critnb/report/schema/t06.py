"""T06_ABLATIONS: the baseline, and g* put on each branch and band of the model."""

from __future__ import annotations

from critnb.canon import CANON, GCondition
from critnb.report.schema.columns import (
    BRANCHING_REASON,
    INTERVENTION,
    NOT_NEGATIVE,
    PER_SITE,
    PROVENANCE,
    RATE,
    SHARE,
    SIZE,
    SPIKES,
    count,
    interval,
    number,
    optional,
    text,
)
from critnb.report.schema.model import Range, TableSchema
from critnb.report.schema.nulls import excess_columns

T06 = TableSchema(
    name=CANON.TABLE.T06_ABLATIONS,
    rows="per spike definition and target rate: g1 under MLP_GLOBAL, and g* under each intervention that was run",
    key=("spike_def_id", "target_rate", "g_condition", "intervention_id"),
    complete=("spike_def_id", "target_rate"),
    columns=(
        *PROVENANCE,
        *SPIKES,
        text("g_condition", "which gain", GCondition),
        number("g", "-", "that gain", NOT_NEGATIVE),
        INTERVENTION,
        text("gain_target", "what the gain multiplies, in words"),
        number("b_tot", PER_SITE, "b_time + b_depth on A_raster", Range(0.0, 2.0)),
        number("delta_b_tot", PER_SITE, "b_tot minus its mean under the permutation null"),
        number("chi", SIZE, "susceptibility", NOT_NEGATIVE),
        number("achieved_rate_max_abs_err", RATE, "largest distance of a layer's A_raster rate from its target", SHARE),
        count("n_sequences", "sequences", "windows of A_raster"),
        *optional(
            number("opt_occupancy", "sites/site", "share of lattice sites with an event", SHARE),
            *interval("opt_b_tot", PER_SITE),
            *interval("opt_delta_b_tot", PER_SITE),
            number("opt_delta_b_tot_p", "-", "one-sided p under the permutation null", SHARE),
            *interval("opt_chi", SIZE),
            *excess_columns(),
            number("opt_delta_b_tot_vs_g1", PER_SITE, "delta_b_tot minus that of g1, on the same windows"),
            *interval("opt_delta_b_tot_vs_g1", PER_SITE),
            BRANCHING_REASON,
        ),
    ),
    appendix=True,
)
