"""S05: the statistics of every condition beside their nulls, table T01 and figures F01 to F05. No model is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, GCondition, SpikeDef, Stage
from critnb.criticality.summary import summarise
from critnb.lattice import RASTER_NULLS, Raster, marginals_exact, null_raster
from critnb.report import figures
from critnb.report.gates import Gate
from critnb.report.provenance import Provenance
from critnb.report.style import Drawing, Rendered, save_figure
from critnb.report.tables import t01, write_table
from critnb.runs import pack_version
from critnb.session import StageSession
from critnb.steps import selection
from critnb.steps.artifacts import load_raster, load_samples

_PERM, _SHIFT = RASTER_NULLS
_SIGNIFICANT = 0.05
_MONTE_CARLO_ERRORS = 5.0


@dataclass(frozen=True, eq=False)
class Analysis:
    """What the notebook shows: T01, all avalanches, and what the figures are drawn from."""

    t01: pd.DataFrame
    avalanches: pd.DataFrame
    raster: Raster
    permuted: Raster
    tau: pd.DataFrame
    null_replicates: int
    choices: list[dict[str, Any]]
    gstar: dict[tuple[SpikeDef, float], float]
    provenance: Provenance


def analyse(stage: StageSession) -> Analysis:
    """Compute the statistics of every condition on A_raster and write metrics, avalanches and T01."""
    s03, s04 = stage.upstream(Stage.S03), stage.upstream(Stage.S04)
    raster = load_raster(s03)
    params = stage.params
    nulls = {null_id: null_raster(raster, null_id, seed=params.nulls.seed) for null_id in RASTER_NULLS}
    samples = load_samples(s04)
    with stage.step("statistics"):
        summary = summarise(
            raster, samples, permuted=nulls[_PERM], adjacency=params.analysis.adjacency,
            replicates=params.analysis.bootstrap_reps, seed=params.analysis.bootstrap_seed,
        )  # fmt: skip
    rows = summary.rows.assign(
        opt_perm_null_marginals_exact=marginals_exact(raster, nulls[_PERM]),
        opt_shift_null_marginals_exact=marginals_exact(raster, nulls[_SHIFT]),
    )
    content = stage.upstream(Stage.S02B)
    choices = content.json(content.result(CANON.OUTPUT.GSTAR_JSON_BASENAME))["choices"]
    gstar = {(SpikeDef(name), rate): gain for (name, rate), gain in selection.load(content).items()}
    tau = s04.parquet(s04.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    provenance = Provenance(
        run_id=stage.run.run_id,
        stage_id=stage.spec.id,
        model_id=str((s03.record.model or {})["id"]),
        config_hash=str(stage.run.record.config_hash),
        code_version=pack_version(),
    )
    table = t01(summary=rows, tau=tau, gstar=gstar, tau0=params.events.tau0, provenance=provenance)
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, rows)
    stage.save_parquet(CANON.OUTPUT.AVALANCHES_PARQUET_BASENAME, summary.avalanches)
    stage.conditions(raster.conditions.to_frame())
    write_table(stage.run, CANON.TABLE.T01_SUMMARY, table)
    replicates = samples[_PERM].pooled.b_tot.shape[1]
    return Analysis(table, summary.avalanches, raster, nulls[_PERM], tau, replicates, choices, gstar, provenance)


def raster_example(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F01."""
    drawing = figures.raster_example(
        analysis.raster, analysis.permuted, gstar=analysis.gstar, adjacency=stage.params.analysis.adjacency
    )
    return _save(stage, CANON.FIGURE.F01_RASTER_EXAMPLE, drawing, analysis)


def rate_match(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F02."""
    return _save(stage, CANON.FIGURE.F02_RATE_MATCH_CHECK, figures.rate_match(analysis.tau), analysis)


def branching_curves(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F03."""
    return _save(stage, CANON.FIGURE.F03_BRANCHING_CURVES, figures.branching_curves(analysis.t01), analysis)


def null_delta(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F04."""
    return _save(stage, CANON.FIGURE.F04_NULL_DELTAB, figures.null_delta(analysis.t01), analysis)


def gstar_selection(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F05."""
    return _save(stage, CANON.FIGURE.F05_GSTAR_SELECTION, figures.gstar_selection(analysis.choices), analysis)


def _save(stage: StageSession, name: str, drawing: Drawing, analysis: Analysis) -> Rendered:
    with stage.step(f"figure {name}"):
        return save_figure(stage.run, name, drawing, analysis.provenance)


def at_chosen_gains(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of T01 at g1 and g*: each statistic with its 95 % interval, its null and p."""
    shown = _chosen(table)
    columns: dict[str, Any] = {
        "occupancy": shown["opt_occupancy"].map("{:.1%}".format),
        "b_tot": _with_interval(shown, "b_tot"),
        "permuted": shown["b_tot_perm"],
        "Δ permutation": _with_interval(shown, "delta_b_tot"),
        "p": shown["opt_delta_b_tot_p"],
        "Δ shift": _with_interval(shown, "opt_delta_b_tot_shift"),
        "p ": shown["opt_delta_b_tot_shift_p"],
        "chi": shown["chi"],
    }
    return _named(shown).assign(**columns)


def avalanche_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return avalanche numbers of T01 at g1 and g*, real beside permuted."""
    shown = _chosen(table)
    return _named(shown).assign(
        **{
            "avalanches": shown["n_avalanches"],
            "permuted": shown["opt_n_avalanches_perm"],
            "mean size": shown["avalanche_size_mean"],
            "permuted ": shown["opt_avalanche_size_mean_perm"],
            "median size": shown["avalanche_size_median"],
            "mean tokens": shown["avalanche_span_tokens_mean"],
            "mean layers": shown["avalanche_span_layers_mean"],
        }
    )


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["opt_is_g1"] | table["opt_is_gstar"]]


def _named(shown: pd.DataFrame) -> pd.DataFrame:
    roles = [
        " = ".join(name for name, holds in ((str(GCondition.g1), g1), ("g*", gstar)) if holds)
        for g1, gstar in zip(shown["opt_is_g1"], shown["opt_is_gstar"], strict=True)
    ]
    spike_defs = shown["spike_def_id"].astype(str).map(lambda name: name.split("_", 1)[1].lower().replace("_", " "))
    return pd.DataFrame({"events": spike_defs, "rate": shown["target_rate"], "gain": shown["g"], "": roles})


def _with_interval(shown: pd.DataFrame, name: str) -> list[str]:
    stem = name if name.startswith("opt_") else f"opt_{name}"
    columns = zip(shown[name], shown[f"{stem}_ci_low"], shown[f"{stem}_ci_high"], strict=True)
    return [f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in columns]


def findings(analysis: Analysis) -> str:
    """Return, as Markdown, what the numbers say; every sentence is counted from T01 and gstar.json."""
    table = analysis.t01
    above = (table["opt_delta_b_tot_ci_low"] > 0) & (table["opt_delta_b_tot_p"] < _SIGNIFICANT)
    below = table["opt_delta_b_tot_ci_high"] < 0
    aligned = (table["opt_delta_b_tot_shift_ci_low"] > 0) & (table["opt_delta_b_tot_shift_p"] < _SIGNIFICANT)
    low, high = table["b_tot"].min(), table["b_tot"].max()
    identified = [choice["identified"] for choice in analysis.choices]
    crossing = [choice["crosses_one"] for choice in analysis.choices]
    low_p, high_p = table["opt_occupancy"].min(), table["opt_occupancy"].max()
    lines = [
        f"T01 has {len(table)} conditions; b_tot runs from {low:.3f} to {high:.3f} at occupancies of {low_p:.1%} to {high_p:.1%}.",
        f"Against the permutation null, b_tot is above what the same counts give without their order in {above.sum()} "
        f"of {len(table)} conditions (interval above zero and one-sided p below {_SIGNIFICANT:g}) and below it in "
        f"{below.sum()}. The median excess is {table['delta_b_tot'].median():.3f}.",
        f"Against the circular shift, which keeps each layer's own time course, {aligned.sum()} of {len(table)} conditions "
        f"remain above: there, layers are active together at the same tokens. The median excess is "
        f"{table['opt_delta_b_tot_shift'].median():.3f}.",
        f"b_tot reaches one inside the gain grid for {sum(crossing)} of {len(crossing)} combinations of spike definition and "
        f"rate; g* is identified for {sum(identified)} of them.",
    ]
    caution = (
        "A b_tot near one is no sign of criticality: it rises with occupancy, also without any structure. What counts is "
        "the difference from the nulls, and no statement about tails or exponents is made here."
    )
    return "\n".join([*(f"* {line}" for line in lines), "", caution])


def gates(analysis: Analysis) -> list[Gate]:
    """Return the gates of S05: held marginals, and the Monte Carlo null against its closed form."""
    table = analysis.t01
    kept = table["opt_perm_null_marginals_exact"] & table["opt_shift_null_marginals_exact"]
    errors = (table["b_tot_perm"] - table["opt_b_tot_perm_expected"]).abs() / (
        table["opt_b_tot_perm_sd"] / np.sqrt(analysis.null_replicates)
    )
    return [
        Gate.judge(
            "nulls keep their marginals",
            passed=bool(kept.all()),
            value=f"{int(kept.sum())} of {len(table)}",
            condition="every row of a null raster holds the counts of the real row",
        ),
        Gate.judge(
            "permutation null against its closed form",
            passed=bool(errors.max() <= _MONTE_CARLO_ERRORS),
            value=float(errors.max()),
            condition=f"mean over replicates within {_MONTE_CARLO_ERRORS:g} standard errors of the expectation everywhere",
        ),
        Gate.judge(
            "avalanches in every condition",
            passed=bool((table["n_avalanches"] > 0).all()),
            value=int(table["n_avalanches"].min()),
            condition="at least one",
        ),
    ]
