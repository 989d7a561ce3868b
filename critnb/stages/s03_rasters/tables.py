"""What follows from the raster of S03: metrics, the thresholds with their held-out rates, and gates. No model, no torch."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from critnb.canon import CANON, Intervention, SliceRole, Stage
from critnb.criticality.metrics import condition_metrics
from critnb.gates import Gate
from critnb.lattice import Raster
from critnb.pipeline.artifacts import load_raster, save_raster
from critnb.pipeline.session import StageSession
from critnb.runs import Run
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.shared.conditions import EVENT_KEYS, events_gate, layer_rates, mark

_TAU = CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME


def tabulate(
    stage: StageSession,
    raster: Raster,
    thresholds: pd.DataFrame,
    gstar: Mapping[tuple[str, float], float],
    *,
    n_units: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write a raster, and return and write its metrics and the thresholds with their rates in it."""
    held_out = layer_rates(raster, n_units, suffix="_raster")
    thresholds = thresholds.merge(held_out, on=[*EVENT_KEYS, "layer"], validate="1:1")
    metrics = mark(condition_metrics(raster), gstar)
    save_raster(stage, raster)
    stage.save_parquet(_TAU, thresholds)
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, metrics)
    return metrics, thresholds


def fitted_before(stage: StageSession) -> pd.DataFrame:
    """Return the thresholds of S02, which are those of MLP_GLOBAL at every gain of the grid."""
    run = stage.upstream(Stage.S02)
    return run.parquet(run.result(_TAU))


def retabulate(stage: StageSession, run: Run) -> None:
    """Write metrics and thresholds again from the raster of a finished run of S03, the thresholds of S02 and its own others."""
    stored, thresholds = run.parquet(run.result(_TAU)), fitted_before(stage)
    others = stored.loc[stored["intervention_id"] != str(Intervention.MLP_GLOBAL), list(thresholds)]
    if len(others):
        thresholds = pd.concat([thresholds, others], ignore_index=True)
    gstar = load_gstar(stage.upstream(Stage.S02B))
    tabulate(stage, load_raster(run), thresholds, gstar, n_units=int((run.record.model or {})["d_ff"]))


def gates(stage: StageSession) -> list[Gate]:
    """Return the gate of S03: every condition has events to analyse."""
    return [events_gate(load_raster(stage.own), SliceRole.A_raster)]
