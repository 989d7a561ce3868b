"""What S05's notebook shows of its tables: the rows at g1 and g*, each number beside its null, and the findings in words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from critnb.canon import CANON, GCondition
from critnb.lattice import PRIMARY, SECONDARY, RasterNull, null_of
from critnb.report.schema.columns import BRANCHING_REASON
from critnb.report.schema.nulls import null_columns
from critnb.report.words import interval_words, p_words, spike_words, with_interval
from critnb.stages.s05_analysis.tables import APART, OVERLAP
from critnb.stages.s05_analysis.verdict_views import verdicts_in_words
from critnb.stages.s05_analysis.work import AnalysisResult
from critnb.stages.shared.activity_columns import excess_shown, is_above

_REASON = "not available"
_SIGNIFICANT = CANON.CONST.SIGNIFICANCE_LEVEL


def at_chosen_gains(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of T01 at g1 and g*: each statistic with its 95 % interval, its null and p."""
    shown = _chosen(table)
    columns: dict[str, Any] = {
        "occupancy": shown["opt_occupancy"].map("{:.1%}".format),
        "b_tot": with_interval(shown, "b_tot"),
        "permuted": shown["b_tot_perm"],
        **excess_shown(shown),
        "chi": shown["chi"],
    }
    return _beside(shown, columns)


def avalanche_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return avalanche numbers of T01 at g1 and g*, real beside permuted."""
    shown = _chosen(table)
    return _beside(
        shown,
        {
            "avalanches": shown["n_avalanches"],
            "permuted": shown["opt_n_avalanches_perm"],
            "mean size": shown["avalanche_size_mean"],
            "permuted ": shown["opt_avalanche_size_mean_perm"],
            "median size": shown["avalanche_size_median"],
            "mean tokens": shown["avalanche_span_tokens_mean"],
            "mean layers": shown["avalanche_span_layers_mean"],
        },
    )


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["opt_is_g1"] | table["opt_is_gstar"]]


def _named(shown: pd.DataFrame) -> pd.DataFrame:
    roles = [
        " = ".join(name for name, holds in ((str(GCondition.g1), g1), ("g*", gstar)) if holds)
        for g1, gstar in zip(shown["opt_is_g1"], shown["opt_is_gstar"], strict=True)
    ]
    return pd.DataFrame(
        {"events": spike_words(shown), "rate": shown["target_rate"], "gain": shown["g"], "": roles}, index=shown.index
    )


def _beside(shown: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    """Return columns beside the names of their conditions; a column of reasons only where there is one to give."""
    said = {
        name: column
        for name, column in columns.items()
        if not name.startswith(_REASON) or (pd.Series(column) != "").any()
    }
    return _named(shown).assign(**said)


def multistep_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the branching parameters of the multistep regression at g1 and g*, real beside permuted."""
    shown = _chosen(table)
    return _beside(
        shown,
        {
            "b_tot": shown["b_tot"],
            "r_1 along tokens": with_interval(shown, "opt_r1_time", digits=2),
            "permuted": with_interval(shown, "opt_r1_time_perm", digits=2),
            "m along tokens": with_interval(shown, "opt_m_time", digits=2),
            "r_1 along layers": with_interval(shown, "opt_r1_depth", digits=2),
            "permuted ": with_interval(shown, "opt_r1_depth_perm", digits=2),
            "m along layers": with_interval(shown, "opt_m_depth", digits=2),
        },
    )


def exponent_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the exponents at g1 and g*, real beside permuted."""
    shown = _chosen(table)
    return _beside(
        shown,
        {
            "tau_S": with_interval(shown, "opt_tau_S", digits=2),
            "permuted": with_interval(shown, "opt_tau_S_perm", digits=2),
            "critical cascades": shown["opt_tau_S_ref"],
            "alpha_D": with_interval(shown, "opt_alpha_D", digits=2),
            "permuted ": with_interval(shown, "opt_alpha_D_perm", digits=2),
            "critical cascades ": shown["opt_alpha_D_ref"],
        },
    )


def scaling_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scaling relation at g1 and g*: observed, of critical cascades on the same lattice, and permuted."""
    shown = _chosen(table)
    return _beside(
        shown,
        {
            "gamma, uncensored": with_interval(shown, "opt_gamma_uncensored", digits=2),
            "gamma predicted": with_interval(shown, "opt_gamma_pred", digits=2),
            "DCC": with_interval(shown, "opt_dcc", digits=2),
            "DCC, critical cascades": with_interval(shown, "opt_dcc_ref", digits=2),
            "DCC, permuted": with_interval(shown, "opt_dcc_perm", digits=2),
        },
    )


def tail_table(tails: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the tail fits of sizes at g1 and g*."""
    shown = tails[(summary["opt_is_g1"] | summary["opt_is_gstar"]).to_numpy()]
    marks = _chosen(summary)
    return _beside(
        marks,
        {
            "xmin": shown["xmin"],
            "tail": shown["n_tail"],
            "alpha": with_interval(shown, "alpha_powerlaw", digits=2),
            "z, lognormal": shown["opt_z_powerlaw_vs_lognormal"],
            "p": shown["opt_p_powerlaw_vs_lognormal"].map(p_words),
            "z, exponential": shown["opt_z_powerlaw_vs_exponential"],
            "p ": shown["opt_p_powerlaw_vs_exponential"].map(p_words),
            "p, no cutoff": shown["opt_p_powerlaw_vs_cutoff"].map(p_words),
            _REASON: shown["opt_reason"],
        },
    )


def ks_table(tails: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the power laws above the KS xmin at g1 and g*, of sizes and of durations."""
    shown = tails[(summary["opt_is_g1"] | summary["opt_is_gstar"]).to_numpy()]
    columns: dict[str, Any] = {}
    for stem, mark in (("opt_ks", ""), ("opt_D_ks", " ")):
        name = "D" if mark else "S"
        columns |= {
            f"xmin, {name}": shown[f"{stem}_xmin"],
            f"tail{mark}": shown[f"{stem}_n_tail"],
            f"exponent{mark}": shown[f"{stem}_alpha"].map(lambda value: interval_words(value, *(math.nan,) * 2, 2)),
            f"distance{mark}": shown[f"{stem}_distance"],
            f"p{mark}": shown[f"{stem}_p"].map(p_words),
            f"{_REASON}{mark}": shown[f"{stem}_reason"],
        }
    return _beside(_chosen(summary), columns)


def crackling_table(crackling: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the crackling diagnostics at g1 and g*."""
    shown = crackling[(summary["opt_is_g1"] | summary["opt_is_gstar"]).to_numpy()]
    return _beside(
        _chosen(summary),
        {
            "durations": shown["n_duration_points"],
            "avalanches": shown["n_avalanches_used"],
            "gamma": with_interval(shown, "crackling_gamma", "crackling", digits=2),
            "r2": shown["r2"],
            "permuted": with_interval(shown, "opt_crackling_gamma_perm", digits=2),
            "r2 ": shown["opt_r2_perm"],
            "gamma by collapse": shown["opt_gamma_collapse"],
            _REASON: shown["opt_reason"],
        },
    )


def ablation_table(ablations: pd.DataFrame) -> pd.DataFrame:
    """Return the interventions: b_tot, its excess over the null, and how far that is from the baseline's."""
    return pd.DataFrame(
        {
            "events": spike_words(ablations),
            "rate": ablations["target_rate"],
            "": ablations["g_condition"],
            "gain": ablations["g"],
            "on": ablations["gain_target"],
            "occupancy": ablations["opt_occupancy"].map("{:.1%}".format),
            "b_tot": with_interval(ablations, "b_tot"),
            "Δ permutation": with_interval(ablations, "delta_b_tot"),
            "Δ against g1": with_interval(ablations, "opt_delta_b_tot_vs_g1"),
            "chi": ablations["chi"],
        }
    )


def overlap_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per rate: how far both spike definitions see the same events, from the smallest to the largest over gains."""
    rows = []
    for rate, of_rate in table.groupby("target_rate"):
        shared, apart = of_rate[OVERLAP], of_rate[APART]
        known = bool(apart.notna().all())
        rows.append(
            {
                "rate": rate,
                "events shared": _range(shared, ".1%") if known else "–",
                "sites that differ": _range(apart, ".0f") if known else "–",
                "": "" if not known else "the same raster at every gain" if apart.eq(0).all() else "",
                _REASON: "" if known else "only one spike definition was measured",
            }
        )
    frame = pd.DataFrame(rows)
    return frame.drop(columns=[name for name in ("", _REASON) if frame[name].eq("").all()])


def _range(values: pd.Series[float], spec: str) -> str:
    ends = dict.fromkeys(format(value, spec) for value in (values.min(), values.max()))
    return " to ".join(ends)


def findings(found: AnalysisResult) -> str:
    """Return, as Markdown, what the numbers say; every sentence is counted from T01, T08 and gstar.json."""
    table, judged = found.t01, found.t08
    crossing = [choice["crosses_one"] for choice in found.choices]
    identified = [choice["identified"] for choice in found.choices]
    lines = [
        *_branching(table),
        f"b_tot reaches one inside the gain grid for {sum(crossing)} of {len(crossing)} combinations of spike definition and "
        f"rate; g* is identified, the only gain of its 95 % confidence set, for {sum(identified)} of them.",
        *verdicts_in_words(judged),
    ]
    caution = (
        "A b_tot near one is no sign of criticality: it rises with occupancy, also without any structure. A tail that fits a "
        "power law is none either: components of independent sites fit one too. What counts is the difference from the nulls."
    )
    return "\n".join([*(f"* {line}" for line in lines), "", caution])


def _branching(table: pd.DataFrame) -> list[str]:
    n = len(table)
    low_p, high_p = table["opt_occupancy"].min(), table["opt_occupancy"].max()
    occupancies = f"occupancies of {low_p:.1%} to {high_p:.1%}"
    if table["b_tot"].isna().all():
        return [f"T01 has {n} conditions, at {occupancies}; b_tot is not available in any: {_why_not(table)}."]
    low, high = table["b_tot"].min(), table["b_tot"].max()
    said = f"T01 has {n} conditions; b_tot runs from {low:.3f} to {high:.3f} at {occupancies}."
    return [said, _beyond_the_primary(table), *(_beyond(table, null) for null in SECONDARY)]


def _beyond_the_primary(table: pd.DataFrame) -> str:
    null, below = null_of(PRIMARY), table["opt_delta_b_tot_ci_high"] < 0
    if table["delta_b_tot"].isna().all():
        return _nothing_beside(table, null)
    return (
        f"Against the {null.noun}, b_tot is above what the same counts give without their order in "
        f"{is_above(table, PRIMARY).sum()} of {len(table)} conditions (interval above zero and one-sided p below "
        f"{_SIGNIFICANT:g}) and below it in {below.sum()}. The median excess is {table['delta_b_tot'].median():.3f}."
    )


def _beyond(table: pd.DataFrame, null: RasterNull) -> str:
    keeps, means = null.in_findings
    delta = table[null_columns(null.null_id).delta]
    if delta.isna().all():
        return _nothing_beside(table, null)
    return (
        f"Against the {null.noun}{keeps}, {is_above(table, null.null_id).sum()} of {len(table)} conditions remain above{means}. "
        f"The median excess is {delta.median():.3f}."
    )


def _nothing_beside(table: pd.DataFrame, null: RasterNull) -> str:
    return f"Against the {null.noun} nothing can be compared: {_why_not(table, null)}."


def _why_not(table: pd.DataFrame, null: RasterNull | None = None) -> str:
    """Return the first reason that T01 gives for a b_tot or comparison that is missing; for that with ``null``, if it has one."""
    said = [part for words in table[BRANCHING_REASON.name] for part in words.split("; ") if part]
    about = "" if null is None else f"no comparison with the {null.noun}: "
    of_null = [part.removeprefix(about) for part in said if about and part.startswith(about)]
    return next(iter([*of_null, *said]), "T01 gives no number")
