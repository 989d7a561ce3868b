"""What follows from the raster of S02: metrics, how many events each threshold lets through, and gates. No model, no torch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.canon import CANON, SpikeDef, Stage
from critnb.criticality.metrics import condition_metrics
from critnb.events import RateTargets
from critnb.gates import Gate
from critnb.lattice import Raster
from critnb.lattice.thresholds import gate
from critnb.pipeline.artifacts import load_raster, save_raster
from critnb.pipeline.session import StageSession
from critnb.runs import Run
from critnb.stages.shared.conditions import EVENT_KEYS, layer_rates


def tabulate(stage: StageSession, raster: Raster) -> None:
    """Write a raster and the metrics of its conditions."""
    save_raster(stage, raster)
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, condition_metrics(raster))


def retabulate(stage: StageSession, run: Run) -> None:
    """Write metrics, and the thresholds with targets and events, again from the raster of a finished run of S02."""
    raster, s01 = load_raster(run), stage.upstream(Stage.S01)
    targets = RateTargets.from_dict(s01.json(s01.result(CANON.OUTPUT.RATE_TARGETS_JSON_BASENAME)))
    tabulate(stage, raster)
    stored = run.parquet(run.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    rates = layer_rates(raster, targets.n_units, suffix="")
    _, n_sequences, _, n_tokens = raster.counts.shape
    n_samples = n_sequences * n_tokens * targets.n_units
    wanted = [(SpikeDef(each.spike_def_id), each.target_rate) for each in raster.conditions]
    rates["target_layer_rate"] = np.concatenate([targets.target(*each) for each in wanted])
    rates["target_events"] = np.concatenate([targets.events(*each, n_samples) for each in wanted])
    keys = [*EVENT_KEYS, "layer"]
    fitted = stored[[name for name in stored if name in keys or name not in rates]]
    again = fitted.merge(rates, on=keys, how="right", validate="1:1")[list(stored)]
    stage.save_parquet(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME, again)


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S02: every rate is met."""
    return rate_gates(stage.own.parquet(stage.own.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME)))


def rate_gates(thresholds: pd.DataFrame) -> list[Gate]:
    """Return one gate per spike definition and rate: its worst layer over all settings; a miss that is all ties passes."""
    return [_rate_gate(rows) for _, rows in gate(thresholds).groupby(["spike_def_id", "target_rate"])]


def _rate_gate(rows: pd.DataFrame) -> Gate:
    shown = rows if rows["passed"].all() else rows[~rows["passed"]]
    excess = (shown["off"] - shown["tolerance"]).fillna(np.inf)
    worst = shown.iloc[int(excess.to_numpy().argmax())]
    by_ties = int(rows["by_ties"].sum())
    all_ties = f"; layers that miss by more, all of it ties: {by_ties}" if by_ties else ""
    return Gate.judge(
        f"rate match, {worst['spike_def_id']}, {worst['target_rate']:g}",
        passed=bool(rows["passed"].all()),
        value=f"{worst['off']:g} of {worst['target_events']} events off{', all of them ties' if worst['tied'] else ''}",
        condition=f"at most max(1, {CANON.CONST.RATE_MATCH_TOL_REL:g} of the target) in every layer and setting, ties apart",
        reason=f"worst: layer {worst['layer']} at gain {worst['gain']:g}, {worst['ties']} ties at tau{all_ties}",
    )
