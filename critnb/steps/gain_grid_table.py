"""What S02 tells of the raster that it extracted: metrics, and how many events each threshold lets through. No model, no torch."""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON, SpikeDef, Stage
from critnb.criticality.metrics import condition_metrics
from critnb.events import RateTargets
from critnb.lattice import Raster
from critnb.runs import Run
from critnb.session import StageSession
from critnb.steps.artifacts import load_raster, save_raster
from critnb.steps.conditions import EVENT_KEYS, layer_rates


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
