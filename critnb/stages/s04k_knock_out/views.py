"""What S04K's notebook shows: tables in words, the findings, and figures F15 and F16."""

from __future__ import annotations

from typing import Any

import pandas as pd

from critnb.canon import CANON, GCondition, Intervention, Stage
from critnb.pipeline.session import StageSession
from critnb.report.figures.f15_knockouts import knockouts
from critnb.report.figures.f16_stability import stability
from critnb.report.style import Rendered, save_figure
from critnb.report.words import counted, interval_words, p_words, spike_words
from critnb.stages.s04k_knock_out.tables import KnockOutResult


def knock_out_table(t10: pd.DataFrame) -> pd.DataFrame:
    """Return what vanishes and appears at g1 and g* when events are put out, against both controls."""
    columns: dict[str, Any] = {
        "events put out": t10["events_out"],
        "lost in the next layer": _interval(t10, "lost_share"),
        "new there": _interval(t10, "new_share"),
        "σ_depth": _interval(t10, "sigma_depth"),
        "p": t10["sigma_depth_p"].map(p_words),
        "against random places": _interval(t10, "sigma_depth_places"),
        "in all layers above": _interval(t10, "offspring"),
        "not available": t10["reason"],
    }
    return _shown(t10, columns)


def share_table(t10: pd.DataFrame) -> pd.DataFrame:
    """Return the excess of b_depth in the raster and how much of it goes when events are put out."""
    columns: dict[str, Any] = {
        "b_depth": t10["b_depth"],
        "Δb_depth of the raster": _interval(t10, "delta_b_depth", digits=4),
        "causal share of it": _interval(t10, "causal_share"),
        "σ_depth": _interval(t10, "sigma_depth"),
        "not available": t10["causal_share_reason"],
    }
    return _shown(t10, columns)


def exponent_table(exponents: pd.DataFrame) -> pd.DataFrame:
    """Return one row per gain: the Lyapunov exponent along depth, and how well it is known."""
    return pd.DataFrame(
        {
            "gain": exponents["g"],
            "exponent": _interval(exponents, "lyapunov", digits=4),
            "spread over directions": exponents["spread"],
            "difference with a wider step": exponents["step_deviation"],
            "not available": exponents["lyapunov_reason"],
        }
    ).pipe(_without_empty)


def _interval(rows: pd.DataFrame, name: str, digits: int = 3) -> list[str]:
    value, low, high = (rows[f"{name}{end}"] for end in ("", "_ci_low", "_ci_high"))
    return [interval_words(*numbers, digits) for numbers in zip(value, low, high, strict=True)]


def _shown(t10: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    words = {str(GCondition.g1): str(GCondition.g1), str(GCondition.gstar): "g*"}
    named = {
        "events": spike_words(t10),
        "rate": t10["target_rate"],
        "": t10["g_condition"].map(words),
        "gain": t10["g"],
    }
    return _without_empty(pd.DataFrame(named | columns))


def _without_empty(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the column of reasons where there is none."""
    return rows if rows["not available"].astype(bool).any() else rows.drop(columns="not available")


def findings(found: KnockOutResult) -> str:
    """Return, as Markdown, what the numbers say; every sentence is counted from T10 and the exponents."""
    t10 = found.t10
    known = t10.dropna(subset=["sigma_depth_ci_low"])
    lines = [f"Knock-outs are not available: {reason}." for reason in dict.fromkeys(t10["reason"]) if reason]
    if len(known):
        above = int((known["sigma_depth_ci_low"] > 0).sum())
        lines.append(
            f"Events were put out in {counted(int(t10['n_sequences'].iloc[0]), 'window')}, {int(t10['events_out'].min())} to "
            f"{int(t10['events_out'].max())} of them in a condition. σ_depth runs from {known['sigma_depth'].min():.3f} to "
            f"{known['sigma_depth'].max():.3f}; its interval lies above zero in {above} of {counted(len(known), 'row')}."
        )
        lines.append(
            f"When events are put out, {known['lost_share'].min():.0%} to {known['lost_share'].max():.0%} of the next layer's "
            f"events vanish, and {known['new_share'].min():.0%} to {known['new_share'].max():.0%} as many appear."
        )
    lines += [*_share_lines(t10), *_exponent_lines(found.exponents)]
    return "\n".join(f"* {line}" for line in lines)


def _share_lines(t10: pd.DataFrame) -> list[str]:
    shares = t10.dropna(subset=["causal_share"])
    excess = int((t10["delta_b_depth_ci_low"] > 0).sum())
    said = f"The raster's b_depth exceeds random order in {excess} of {counted(len(t10), 'row')}"
    if not len(shares):
        return [f"{said}; how much of it the events cause is not available."]
    low, high = shares["causal_share"].min(), shares["causal_share"].max()
    above = int((shares["causal_share_ci_low"] > 0).sum())
    return [
        f"{said}; the part of that excess that goes when events are put out, beyond random units, lies between {low:.1%} and "
        f"{high:.1%}, with its interval above zero in {above} of {len(shares)}."
    ]


def _exponent_lines(exponents: pd.DataFrame) -> list[str]:
    known = exponents.dropna(subset=["lyapunov"])
    if not len(known):
        return []
    fading = int((known["lyapunov_ci_high"] < 0).sum())
    growing = int((known["lyapunov_ci_low"] > 0).sum())
    return [
        f"The Lyapunov exponent along depth runs from {known['lyapunov'].min():.4f} to {known['lyapunov'].max():.4f} nats per "
        f"layer over {counted(len(known), 'gain')}: a small disturbance fades in {fading} of them and grows in {growing} "
        "(interval clear of zero)."
    ]


def layer_frame(found: KnockOutResult) -> pd.DataFrame:
    """Return sigma_depth at g* for each layer whose events are put out, with its interval: a row per condition and layer."""
    chosen = found.t10[found.t10["g_condition"] == str(GCondition.gstar)]
    rows = [
        {"spike_def_id": name, "target_rate": rate, "layer": layer, "sigma_depth": each.value,
         "sigma_depth_ci_low": each.low, "sigma_depth_ci_high": each.high}
        for name, rate, g in zip(chosen["spike_def_id"], chosen["target_rate"], chosen["g"], strict=True)
        if (summary := found.summaries.get((name, rate, g))) is not None
        for layer, each in enumerate(summary.by_layer)
    ]  # fmt: skip
    columns = ["spike_def_id", "target_rate", "layer", "sigma_depth", "sigma_depth_ci_low", "sigma_depth_ci_high"]
    return pd.DataFrame(rows, columns=columns)


def knock_out_figure(stage: StageSession, found: KnockOutResult) -> Rendered:
    """Draw and write F15."""
    drawing = knockouts(found.t10, layer_frame(found))
    return save_figure(stage.run, CANON.FIGURE.F15_KNOCKOUTS, drawing, found.provenance, appendix=True)


def stability_figure(stage: StageSession, found: KnockOutResult) -> Rendered:
    """Draw and write F16."""
    run = stage.upstream(Stage.S03)
    metrics = run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    of_grid = metrics[metrics["intervention_id"] == str(Intervention.MLP_GLOBAL)]
    drawing = stability(found.exponents, of_grid, found.t10)
    return save_figure(stage.run, CANON.FIGURE.F16_STABILITY, drawing, found.provenance, appendix=True)
