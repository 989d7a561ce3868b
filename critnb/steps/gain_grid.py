"""S02: over the gain grid, exact thresholds and branching on A_cal, from one forward pass a gain and window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from critnb.canon import CANON, Intervention, SliceRole
from critnb.criticality.metrics import condition_metrics
from critnb.events import RateTargets, Thresholds, match_rates
from critnb.events.filling import FirstBounds
from critnb.events.thresholds import gate
from critnb.gates import Gate
from critnb.language.forward import ForwardPasses, Setting
from critnb.language.windows import Slice
from critnb.lattice import Raster
from critnb.session import Arrays, StageSession
from critnb.steps import calibration as calibration_step
from critnb.steps.conditions import conditions_of, raster_of
from critnb.steps.gain_grid_table import tabulate


@dataclass(frozen=True)
class Matched:
    """Thresholds (one row a setting, spike definition, rate and layer) and the raster of the windows they were fitted to."""

    thresholds: pd.DataFrame
    raster: Raster


def match_settings(stage: StageSession, settings: list[Setting], windows: Slice, passes: ForwardPasses) -> Matched:
    """Match rates under each setting on ``windows``; a finished setting survives an interruption as a checkpoint."""
    calibration, targets = calibration_step.from_upstream(stage)
    frames, counts = [], []
    first_bounds: FirstBounds = {}
    for setting in settings:
        label = f"match {setting.intervention} gain {setting.gain:g}"

        def compute(setting: Setting = setting, label: str = label) -> Arrays:
            with stage.progress(label, len(windows.tokens)) as advance:
                thresholds, found = match_rates(
                    passes, windows.tokens, calibration, targets, setting, advance, first_bounds
                )
            return {**thresholds.arrays(), "counts": found}

        arrays = stage.checkpointed(label.replace(" ", "_"), compute)
        frames.append(_thresholds(arrays, targets, setting).to_frame())
        counts.append(arrays["counts"])
    conditions = conditions_of(settings, model_role=stage.role, spike_defs=tuple(targets.base), rates=targets.rates)
    return Matched(pd.concat(frames, ignore_index=True), raster_of(counts, conditions, windows.window_id))


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


def rate_gates(thresholds: pd.DataFrame) -> list[Gate]:
    """Return one gate a spike definition and rate: its worst layer over all settings; a miss that is all ties passes."""
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


def curve(raster: Raster) -> pd.DataFrame:
    """Return b_time, b_depth, b_tot and the occupancy, one row a spike definition, rate and gain."""
    columns = ["spike_def_id", "target_rate", "gain", "occupancy", "b_time", "b_depth", "b_tot", "chi"]
    return condition_metrics(raster)[columns].sort_values(columns[:3], ignore_index=True)
