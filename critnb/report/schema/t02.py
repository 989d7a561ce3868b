"""T02_GENERALIZATION: g1 and g* on dataset B, with thresholds and g* carried over from A unchanged."""

from __future__ import annotations

from critnb.canon import CANON, GCondition
from critnb.report.schema.columns import (
    BRANCHING_REASON,
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
    text,
    with_interval,
)
from critnb.report.schema.model import Range, TableSchema
from critnb.report.schema.nulls import secondary_columns

_NATS = "nats/token"
_TOTAL = Range(0.0, 2.0)
_RATES = (
    number("opt_achieved_rate_mean", RATE, "mean over layers of the rate on B_eval, at the thresholds of A_cal", SHARE),
    number("opt_achieved_rate_max_abs_err", RATE, "largest distance of a layer's B_eval rate from its target", SHARE),
    number("opt_achieved_rate_cal_mean", RATE, "mean over layers of the rate on A_cal, where tau was fitted", SHARE),
    number("opt_occupancy", "sites/site", "share of lattice sites with an event", SHARE),
    count("opt_n_empty_sequences", "sequences", "windows without any event"),
)
_NULLS = (
    number("opt_b_time_perm", PER_SITE, "mean b_time over the permutation null's replicates", SHARE),
    number("opt_b_depth_perm", PER_SITE, "mean b_depth over the permutation null's replicates", SHARE),
    number("opt_b_tot_perm", PER_SITE, "mean b_tot over the permutation null's replicates", _TOTAL),
    number("opt_b_time_perm_sd", PER_SITE, "standard deviation of b_time over the null's replicates", NOT_NEGATIVE),
    number("opt_b_depth_perm_sd", PER_SITE, "standard deviation of b_depth over the null's replicates", NOT_NEGATIVE),
    number("opt_b_tot_perm_sd", PER_SITE, "standard deviation of b_tot over the null's replicates", NOT_NEGATIVE),
    number("opt_b_tot_perm_expected", PER_SITE, "opt_b_tot_perm by the closed form of the permutation null", _TOTAL),
    *with_interval("opt_delta_b_time", PER_SITE, "b_time - opt_b_time_perm"),
    *with_interval("opt_delta_b_depth", PER_SITE, "b_depth - opt_b_depth_perm"),
    number("opt_delta_b_tot_z", "-", "delta_b_tot over the standard deviation of b_tot under the permutation null"),
    number("opt_delta_b_tot_p", "-", "one-sided (1 + #{b_null ≥ b}) / (replicates + 1)", SHARE),
    *secondary_columns(),
    BRANCHING_REASON,
)
_DIFFERENCES = (
    *with_interval("opt_b_tot_vs_g1", PER_SITE, "b_tot minus that of g1, on the same windows"),
    *with_interval("opt_delta_b_tot_vs_g1", PER_SITE, "delta_b_tot minus that of g1, on the same windows"),
    *with_interval("opt_chi_vs_g1", SIZE, "chi minus that of g1, on the same windows"),
    *with_interval("opt_nll_mean_vs_g1", _NATS, "nll_mean minus that of g1, on the same windows"),
    *with_interval("opt_ppl_vs_g1", "-", "ppl minus that of g1, on the same windows"),
    text("opt_vs_g1", "what the differences are: paired, zero by definition (g* = 1), or the reference"),
)

T02 = TableSchema(
    name=CANON.TABLE.T02_GENERALIZATION,
    rows="per spike definition and target rate: g1 and g* under MLP_GLOBAL on B_eval, thresholds and g* from A_cal unchanged",
    key=("spike_def_id", "target_rate", "g_condition"),
    columns=(
        *PROVENANCE,
        *SPIKES,
        text("g_condition", "which gain", GCondition),
        number("g", "-", "that gain", NOT_NEGATIVE),
        number("b_time", PER_SITE, "active successors one token on, per eligible active site", SHARE),
        number("b_depth", PER_SITE, "active successors one layer on, per eligible active site", SHARE),
        number("b_tot", PER_SITE, "b_time + b_depth", _TOTAL),
        number("delta_b_tot", PER_SITE, "b_tot minus its mean under the permutation null"),
        number("chi", SIZE, "susceptibility: variance over mean of the events per sequence", NOT_NEGATIVE),
        count("n_sequences", "sequences", "windows of B_eval"),
        number("ppl", "-", "perplexity: exp of nll_mean", Range(1.0)),
        number("nll_mean", _NATS, "mean negative log-likelihood of the predicted tokens of B_eval", NOT_NEGATIVE),
        *_RATES,
        *interval("opt_b_time", PER_SITE),
        *interval("opt_b_depth", PER_SITE),
        *interval("opt_b_tot", PER_SITE),
        *interval("opt_delta_b_tot", PER_SITE),
        *interval("opt_chi", SIZE),
        *with_interval("opt_chi_intensive", "1/event", "(chi - 1) / mean events per sequence"),
        *interval("opt_nll_mean", _NATS),
        *interval("opt_ppl", "-"),
        *_NULLS,
        *_DIFFERENCES,
    ),
)
