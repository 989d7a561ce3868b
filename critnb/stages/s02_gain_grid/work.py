"""S02: over the gain grid, exact thresholds and branching on A_cal, from one forward pass per gain and window."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from critnb.canon import CANON, Intervention, SliceRole
from critnb.criticality.metrics import condition_metrics
from critnb.events import RateTargets, Thresholds
from critnb.events.shards import MatchedRates
from critnb.lattice import Raster
from critnb.model.elsewhere import Passes
from critnb.model.forward import Setting
from critnb.model.windows import Slice
from critnb.pipeline.session import Arrays, StageSession
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s02_gain_grid.tables import tabulate
from critnb.stages.shared.conditions import conditions_of, passes_under, raster_of


@dataclass(frozen=True)
class Matched:
    """Thresholds (one row per setting, spike definition, rate and layer) and the raster of the windows that they were fitted to."""

    thresholds: pd.DataFrame
    raster: Raster


def match_settings(stage: StageSession, settings: list[Setting], windows: Slice, passes: Passes) -> Matched:
    """Match rates under each setting on ``windows``; a finished setting survives an interruption as a checkpoint."""
    calibration, targets = upstream_calibration(stage)
    match = MatchedRates(windows.tokens, calibration, targets)
    found = passes_under(stage, "match", settings, len(windows.tokens), match, passes=passes, join=match.join)
    frames = [
        _thresholds(each.others, targets, setting).to_frame() for each, setting in zip(found, settings, strict=True)
    ]
    conditions = conditions_of(settings, model_role=stage.role, spike_defs=tuple(targets.base), rates=targets.rates)
    raster = raster_of([each.counts for each in found], conditions, windows.window_id)
    return Matched(pd.concat(frames, ignore_index=True), raster)


def _thresholds(arrays: Arrays, targets: RateTargets, setting: Setting) -> Thresholds:
    fields = {name: arrays[name] for name in ("tau", "target", "target_events", "events", "ties")}
    return Thresholds(
        setting.intervention, setting.gain, tuple(targets.base), targets.rates, int(arrays["n_samples"]), **fields
    )


def measure(stage: StageSession) -> Matched:
    """Match rates and extract the A_cal raster at every gain of the grid, and write thresholds, raster and metrics."""
    settings = [Setting(Intervention.MLP_GLOBAL, gain) for gain in stage.params.gain.grid]
    windows = stage.slice(SliceRole.A_cal)
    matched = match_settings(stage, settings, windows, stage.forward_passes())
    stage.save_parquet(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME, matched.thresholds)
    tabulate(stage, matched.raster)
    return matched


def curve(raster: Raster) -> pd.DataFrame:
    """Return b_time, b_depth, b_tot and the occupancy, one row per spike definition, rate and gain."""
    columns = ["spike_def_id", "target_rate", "gain", "occupancy", "b_time", "b_depth", "b_tot", "chi"]
    return condition_metrics(raster)[columns].sort_values(columns[:3], ignore_index=True)
