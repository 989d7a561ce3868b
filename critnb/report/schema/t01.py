"""T01_SUMMARY: the mechanism's summary, one row per spike definition, target rate and gain of the grid."""

from __future__ import annotations

from dataclasses import replace

from critnb.canon import CANON, DatasetRole, ModelRole, SpikeDef, Stage
from critnb.report.schema.model import Allowed, Column, DType, Range, TableSchema

_NOT_NEGATIVE = Range(0.0)
_SHARE = Range(0.0, 1.0)
_PER_SITE = "successors/site"
_RATE = "events/unit/token"
_SIZE = "events"


def _text(name: str, meaning: str, allowed: Allowed | None = None) -> Column:
    return Column(name, DType.TEXT, "-", meaning, allowed)


def _count(name: str, unit: str, meaning: str) -> Column:
    return Column(name, DType.INT, unit, meaning, _NOT_NEGATIVE)


def _number(name: str, unit: str, meaning: str, allowed: Allowed | None = None) -> Column:
    return Column(name, DType.FLOAT, unit, meaning, allowed)


def _flag(name: str, meaning: str) -> Column:
    return Column(name, DType.BOOL, "-", meaning)


def _optional(*columns: Column) -> tuple[Column, ...]:
    return tuple(replace(column, optional=True) for column in columns)


def _interval(of: str, unit: str, allowed: Allowed | None = None) -> tuple[Column, ...]:
    """Return the two end columns of the 95 % interval of a statistic, named after it."""
    ends = (("low", "lower"), ("high", "upper"))
    return tuple(
        _number(f"{of}_ci_{end}", unit, f"{word} end of the 95 % sequence-bootstrap interval of {of[4:]}", allowed)
        for end, word in ends
    )


def _with_null_twin(name: str, meaning: str, *, interval: bool = False) -> tuple[Column, ...]:
    ends = _interval(name, "-") if interval else ()
    twin = _number(f"{name}_perm", "-", f"{name[4:]} of the permutation null")
    return (_number(name, "-", meaning), *ends, twin)


_PROVENANCE = (
    _text("run_id", "run that wrote the table"),
    _text("stage_id", "stage of that run", Stage),
    _text("model_id", "model as the run's record names it"),
    _text("config_hash", "sha256 of the run's resolved configuration"),
    _text("code_version", "version of the pack"),
)
_CONDITION = (
    _text("model_role", "role of the model", ModelRole),
    _text("dataset_role", "role of the data", DatasetRole),
    _text("spike_def_id", "what counts as an event", SpikeDef),
    _number("target_rate", _RATE, "label rate: mean over layers of the layers' target rates", Range(0.0, 1.0)),
    _number("g", "-", "gain on what every MLP adds to the residual stream", _NOT_NEGATIVE),
)
_RATES = (
    _number("tau0_baseline", "standard deviations", "threshold that defines the base rates"),
    _number("rate_match_tol_abs", _RATE, "absolute tolerance of earlier work, kept for comparison", _NOT_NEGATIVE),
    _number("achieved_rate_mean", _RATE, "mean over layers of the rate on the held-out slice A_raster", _SHARE),
    _number("achieved_rate_max_abs_err", _RATE, "largest distance of a layer's A_raster rate from its target", _SHARE),
)
_BRANCHING = (
    _number("b_time", _PER_SITE, "active successors one token on, per eligible active site", _SHARE),
    _number("b_depth", _PER_SITE, "active successors one layer on, per eligible active site", _SHARE),
    _number("b_tot", _PER_SITE, "b_time + b_depth", Range(0.0, 2.0)),
    _number("b_time_perm", _PER_SITE, "mean b_time over the permutation null's replicates", _SHARE),
    _number("b_depth_perm", _PER_SITE, "mean b_depth over the permutation null's replicates", _SHARE),
    _number("b_tot_perm", _PER_SITE, "mean b_tot over the permutation null's replicates", Range(0.0, 2.0)),
    _number("delta_b_time", _PER_SITE, "b_time - b_time_perm"),
    _number("delta_b_depth", _PER_SITE, "b_depth - b_depth_perm"),
    _number("delta_b_tot", _PER_SITE, "b_tot - b_tot_perm"),
    _number("chi", _SIZE, "susceptibility: variance over mean of the events per sequence", _NOT_NEGATIVE),
)
_CRACKLING = (
    _number("crackling_gamma", "-", "slope of log mean size on log duration in tokens"),
    _number("crackling_ci_low", "-", "lower end of the 95 % sequence-bootstrap interval of crackling_gamma"),
    _number("crackling_ci_high", "-", "upper end of the 95 % sequence-bootstrap interval of crackling_gamma"),
)
_AVALANCHES = (
    _count("n_sequences", "sequences", "windows of A_raster"),
    _count("n_avalanches", "avalanches", "connected components over all windows"),
    _number("avalanche_size_mean", _SIZE, "mean of S, the events of an avalanche", _NOT_NEGATIVE),
    _number("avalanche_size_median", _SIZE, "median of S", _NOT_NEGATIVE),
    _number("avalanche_span_tokens_mean", "tokens", "mean of D, the tokens that an avalanche spans", _NOT_NEGATIVE),
    _number("avalanche_span_layers_mean", "layers", "mean of H, the layers that an avalanche spans", _NOT_NEGATIVE),
)
_OPT_RATES = (
    _number("opt_achieved_rate_max_rel_err", "-", "the gate: largest |events - target| / target of a layer on A_cal"),
    _number("opt_achieved_rate_cal_mean", _RATE, "mean over layers of the rate on A_cal, where tau was fitted", _SHARE),
)
_OPT_BRANCHING = (
    *_interval("opt_b_time", _PER_SITE),
    *_interval("opt_b_depth", _PER_SITE),
    *_interval("opt_b_tot", _PER_SITE),
    *_interval("opt_delta_b_time", _PER_SITE),
    *_interval("opt_delta_b_depth", _PER_SITE),
    *_interval("opt_delta_b_tot", _PER_SITE),
    *_interval("opt_chi", _SIZE),
    _number("opt_b_time_perm_sd", _PER_SITE, "standard deviation of b_time over the null's replicates", _NOT_NEGATIVE),
    _number(
        "opt_b_depth_perm_sd", _PER_SITE, "standard deviation of b_depth over the null's replicates", _NOT_NEGATIVE
    ),
    _number("opt_b_tot_perm_sd", _PER_SITE, "standard deviation of b_tot over the null's replicates", _NOT_NEGATIVE),
    _number("opt_delta_b_tot_z", "-", "delta_b_tot over that standard deviation"),
    _number("opt_delta_b_tot_p", "-", "one-sided (1 + #{b_null ≥ b}) / (replicates + 1)", _SHARE),
    _number("opt_b_tot_perm_expected", _PER_SITE, "b_tot_perm by the closed form of the permutation null"),
    _number("opt_b_tot_shift", _PER_SITE, "mean b_tot over the circular-shift null's replicates", Range(0.0, 2.0)),
    _number("opt_delta_b_tot_shift", _PER_SITE, "b_tot - b_tot_shift; depth only, a shift keeps b_time up to the seam"),
    *_interval("opt_delta_b_tot_shift", _PER_SITE),
    _number("opt_delta_b_tot_shift_z", "-", "delta_b_tot_shift over its null's standard deviation"),
    _number("opt_delta_b_tot_shift_p", "-", "one-sided p under the circular-shift null", _SHARE),
    _number("opt_b_tot_adj8n", _PER_SITE, "branching with the diagonal successor (t+1, l+1) included", Range(0.0, 3.0)),
)
_OPT_NEXT = (
    *_with_null_twin("opt_m_time", "multistep-regression branching parameter along tokens", interval=True),
    *_with_null_twin("opt_m_depth", "multistep-regression branching parameter along depth", interval=True),
    *_with_null_twin("opt_tau_S", "tail exponent of avalanche sizes"),
    *_with_null_twin("opt_alpha_D", "tail exponent of avalanche durations"),
    *_with_null_twin("opt_gamma_pred", "(alpha_D - 1) / (tau_S - 1)"),
    *_with_null_twin("opt_dcc", "|crackling_gamma - gamma_pred|"),
    _number("opt_crackling_gamma_perm", "-", "crackling_gamma of the permutation null"),
)
_OPT_CHECKS = (
    _flag("opt_perm_null_marginals_exact", "each row of the permutation null keeps its multiset of counts"),
    _flag("opt_shift_null_marginals_exact", "each row of the circular-shift null keeps its multiset of counts"),
    _number("opt_occupancy", "sites/site", "share of lattice sites with an event", _SHARE),
    _count("opt_n_empty_sequences", "sequences", "windows without any event"),
    _count("opt_n_avalanches_perm", "avalanches", "n_avalanches of one replicate of the permutation null"),
    _number("opt_avalanche_size_mean_perm", _SIZE, "avalanche_size_mean of that replicate", _NOT_NEGATIVE),
    _flag("opt_is_g1", "the gain is the baseline"),
    _flag("opt_is_gstar", "the gain is g* of this spike definition and target rate"),
)

T01 = TableSchema(
    name=CANON.TABLE.T01_SUMMARY,
    rows="one row per (spike_def_id, target_rate, g) of the gain grid under MLP_GLOBAL, statistics on A_raster",
    key=("spike_def_id", "target_rate", "g"),
    columns=(
        *_PROVENANCE,
        *_CONDITION,
        *_RATES,
        *_BRANCHING,
        *_optional(*_CRACKLING),
        *_AVALANCHES,
        *_optional(*_OPT_RATES, *_OPT_BRANCHING, *_OPT_NEXT, *_OPT_CHECKS),
    ),
)
