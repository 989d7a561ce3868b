"""T01_SUMMARY: the mechanism's summary, one row per spike definition, target rate and gain of the grid."""

from __future__ import annotations

from critnb.canon import CANON
from critnb.report.schema.columns import (
    BRANCHING_REASON,
    GAIN,
    GRID_KEY,
    NOT_NEGATIVE,
    PER_SITE,
    PROVENANCE,
    RATE,
    SHARE,
    SIZE,
    SPIKES,
    count,
    flag,
    interval,
    number,
    text,
    with_interval,
    with_null_twin,
)
from critnb.report.schema.model import Range, TableSchema
from critnb.report.schema.nulls import MARGINS_TWIN, marginals_columns, secondary_columns

_RATES = (
    number("tau0_baseline", "standard deviations", "threshold that defines the base rates"),
    number("rate_match_tol_abs", RATE, "absolute tolerance of earlier work, kept for comparison", NOT_NEGATIVE),
    number("achieved_rate_mean", RATE, "mean over layers of the rate on the held-out slice A_raster", SHARE),
    number("achieved_rate_max_abs_err", RATE, "largest distance of a layer's A_raster rate from its target", SHARE),
)
_BRANCHING = (
    number("b_time", PER_SITE, "active successors one token on, per eligible active site", SHARE),
    number("b_depth", PER_SITE, "active successors one layer on, per eligible active site", SHARE),
    number("b_tot", PER_SITE, "b_time + b_depth", Range(0.0, 2.0)),
    number("b_time_perm", PER_SITE, "mean b_time over the permutation null's replicates", SHARE),
    number("b_depth_perm", PER_SITE, "mean b_depth over the permutation null's replicates", SHARE),
    number("b_tot_perm", PER_SITE, "mean b_tot over the permutation null's replicates", Range(0.0, 2.0)),
    number("delta_b_time", PER_SITE, "b_time - b_time_perm"),
    number("delta_b_depth", PER_SITE, "b_depth - b_depth_perm"),
    number("delta_b_tot", PER_SITE, "b_tot - b_tot_perm"),
    number("chi", SIZE, "susceptibility: variance over mean of the events per sequence", NOT_NEGATIVE),
)
_CRACKLING = (
    number("crackling_gamma", "-", "slope of log mean size on log duration in tokens"),
    number("crackling_ci_low", "-", "lower end of the 95 % sequence-bootstrap interval of crackling_gamma"),
    number("crackling_ci_high", "-", "upper end of the 95 % sequence-bootstrap interval of crackling_gamma"),
)
_AVALANCHES = (
    count("n_sequences", "sequences", "windows of A_raster"),
    count("n_avalanches", "avalanches", "connected components over all windows"),
    number("avalanche_size_mean", SIZE, "mean of S, the events of an avalanche", NOT_NEGATIVE),
    number("avalanche_size_median", SIZE, "median of S", NOT_NEGATIVE),
    number("avalanche_span_tokens_mean", "tokens", "mean of D, the tokens that an avalanche spans", NOT_NEGATIVE),
    number("avalanche_span_layers_mean", "layers", "mean of H, the layers that an avalanche spans", NOT_NEGATIVE),
)
_OPT_RATES = (
    number("opt_achieved_rate_max_rel_err", "-", "the gate: largest |events - target| / target of a layer on A_cal"),
    number("opt_achieved_rate_cal_mean", RATE, "mean over layers of the rate on A_cal, where tau was fitted", SHARE),
)
_OPT_BRANCHING = (
    *interval("opt_b_time", PER_SITE),
    *interval("opt_b_depth", PER_SITE),
    *interval("opt_b_tot", PER_SITE),
    *interval("opt_delta_b_time", PER_SITE),
    *interval("opt_delta_b_depth", PER_SITE),
    *interval("opt_delta_b_tot", PER_SITE),
    *interval("opt_chi", SIZE),
    *with_interval(
        "opt_chi_intensive", "1/event", "(chi - 1) / mean events per sequence, which does not grow with the lattice"
    ),
    number("opt_b_time_perm_sd", PER_SITE, "standard deviation of b_time over the null's replicates", NOT_NEGATIVE),
    number("opt_b_depth_perm_sd", PER_SITE, "standard deviation of b_depth over the null's replicates", NOT_NEGATIVE),
    number("opt_b_tot_perm_sd", PER_SITE, "standard deviation of b_tot over the null's replicates", NOT_NEGATIVE),
    number("opt_delta_b_tot_z", "-", "delta_b_tot over that standard deviation"),
    number("opt_delta_b_tot_p", "-", "one-sided (1 + #{b_null ≥ b}) / (replicates + 1)", SHARE),
    number("opt_b_tot_perm_expected", PER_SITE, "b_tot_perm by the closed form of the permutation null"),
    *secondary_columns(),
    number("opt_b_tot_adj8n", PER_SITE, "branching with the diagonal successor (t+1, l+1) included", Range(0.0, 3.0)),
    *with_interval(
        "opt_b_diag", PER_SITE, "active sites one token and one layer on, (t+1, l+1), per eligible active site"
    ),
    *with_interval(
        "opt_b_anti", PER_SITE, "active sites (t+1, l-1), which no site can reach, per eligible active site"
    ),
    *with_interval("opt_delta_b_diag", PER_SITE, "opt_b_diag minus its exact expectation under the permutation null"),
    *with_interval("opt_delta_b_anti", PER_SITE, "opt_b_anti minus its exact expectation under the permutation null"),
    BRANCHING_REASON,
)
_OPT_OVERLAP = (
    number(
        "opt_spike_def_overlap",
        "-",
        "events of both spike definitions at one site over those of either, at this rate and gain; 1: the same raster",
        SHARE,
    ),
    number(
        "opt_spike_def_sites_apart",
        "sites",
        "sites whose number of events differs between the definitions; NaN where only one was measured",
        NOT_NEGATIVE,
    ),
)
_OPT_EXPONENTS = (
    *with_null_twin("opt_m_time", "-", "multistep-regression branching parameter along tokens"),
    *with_null_twin("opt_m_depth", "-", "multistep-regression branching parameter along depth"),
    *with_null_twin("opt_r1_time", "-", "regression slope of a token's activity on that of the token before"),
    *with_null_twin("opt_r1_depth", "-", "regression slope of a layer's activity on that of the layer before"),
    *with_interval("opt_xi_time", "tokens", "correlation length along tokens: -1 / ln m_time", NOT_NEGATIVE),
    *with_interval("opt_xi_depth", "layers", "correlation length along depth: -1 / ln m_depth", NOT_NEGATIVE),
    *with_interval(f"opt_r1_time{MARGINS_TWIN}", "-", "r1_time of one replicate of the null of fixed margins"),
    *with_interval(f"opt_r1_depth{MARGINS_TWIN}", "-", "r1_depth of that replicate"),
    *with_null_twin(
        "opt_tau_S", "-", "tail exponent of uncensored avalanches' sizes on the KS support (interval given xmin)"
    ),
    *with_null_twin(
        "opt_alpha_D", "-", "tail exponent of their durations in tokens on the KS support (interval given xmin)"
    ),
    *with_null_twin("opt_gamma_uncensored", "-", "crackling slope of the uncensored avalanches alone"),
    *with_null_twin("opt_gamma_pred", "-", "(alpha_D - 1) / (tau_S - 1)"),
    *with_null_twin("opt_dcc", "-", "|gamma_uncensored - gamma_pred|"),
    number("opt_dcc_ref", "-", "median dcc of as many critical cascades on the same lattice and fit ranges"),
    number("opt_dcc_ref_ci_low", "-", "2.5 % point of dcc over samples of those cascades"),
    number("opt_dcc_ref_ci_high", "-", "97.5 % point of dcc over samples of those cascades"),
    number("opt_gamma_ref", "-", "median crackling slope of those samples"),
    number("opt_tau_S_ref", "-", "median size exponent of those samples"),
    number("opt_alpha_D_ref", "-", "median duration exponent of those samples"),
    number("opt_crackling_gamma_perm", "-", "crackling_gamma of pooled replicates of the permutation null"),
    *interval("opt_crackling_gamma_perm", "-"),
    text("opt_reason", "which of these numbers are not available and why, else empty"),
    text("opt_reason_perm", "the same of the permutation null's"),
)
_OPT_TOKEN_SHUFFLE = (
    number(
        "opt_occupancy_token_shuffle",
        "sites/site",
        "occupancy when the model reads shuffled tokens (g1 and g* only)",
        SHARE,
    ),
    number("opt_b_tot_token_shuffle", PER_SITE, "b_tot of that raster", Range(0.0, 2.0)),
    number("opt_delta_b_tot_token_shuffle", PER_SITE, "its excess over the expectation of its own permutation null"),
    number("opt_chi_token_shuffle", SIZE, "chi of that raster", NOT_NEGATIVE),
)
_OPT_CHECKS = (
    *marginals_columns(),
    number("opt_occupancy", "sites/site", "share of lattice sites with an event", SHARE),
    count("opt_n_empty_sequences", "sequences", "windows without any event"),
    count("opt_n_avalanches_perm", "avalanches", "n_avalanches of one replicate of the permutation null"),
    number("opt_avalanche_size_mean_perm", SIZE, "avalanche_size_mean of that replicate", NOT_NEGATIVE),
    flag("opt_is_g1", "the gain is the baseline"),
    flag("opt_is_gstar", "the gain is g* of this spike definition and target rate"),
)

T01 = TableSchema(
    name=CANON.TABLE.T01_SUMMARY,
    rows="one row per (spike_def_id, target_rate, g) of the gain grid under MLP_GLOBAL, statistics on A_raster",
    key=GRID_KEY,
    columns=(
        *PROVENANCE,
        *SPIKES,
        GAIN,
        *_RATES,
        *_BRANCHING,
        *_CRACKLING,
        *_AVALANCHES,
        *_OPT_RATES,
        *_OPT_BRANCHING,
        *_OPT_EXPONENTS,
        *_OPT_TOKEN_SHUFFLE,
        *_OPT_OVERLAP,
        *_OPT_CHECKS,
    ),
)
