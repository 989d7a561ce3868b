"""S01: moments of every unit, base rates, and the target rate of every layer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.canon import SliceRole, Stage
from critnb.events import Calibration, RateTargets, base_rates, calibrate
from critnb.pipeline.feasible import require_layers
from critnb.pipeline.session import StageSession
from critnb.stages.s01_calibrate.tables import load_calibration, save_calibration


def measure(stage: StageSession) -> tuple[Calibration, RateTargets]:
    """Run the two passes over A_cal at gain 1, check that every rate can be matched, and write both results.

    Raises what ``RateTargets.check_feasible`` raises, and ModelError for a model of one layer.
    """
    params = stage.params
    require_layers(stage.model.n_layers)
    windows = stage.slice(SliceRole.A_cal)
    passes = stage.forward_passes()
    with stage.step("moments"), stage.progress("moments", len(windows.tokens)) as advance:
        calibration = calibrate(passes, windows.tokens, advance)
    with stage.step("base rates"), stage.progress("base rates", len(windows.tokens)) as advance:
        base = base_rates(passes, windows.tokens, calibration, params.events.spike_defs, params.events.tau0, advance)
    targets = RateTargets(params.events.tau0, stage.model.n_units, base, tuple(params.events.target_rates))
    length = params.windows.seq_len - params.windows.burn_in_tokens
    targets.check_feasible(windows=len(windows.tokens), tokens=length)
    save_calibration(stage, calibration, targets)
    return calibration, targets


def upstream_calibration(stage: StageSession) -> tuple[Calibration, RateTargets]:
    """Return what the upstream S01 wrote."""
    return load_calibration(stage.upstream(Stage.S01))


def layer_table(calibration: Calibration, targets: RateTargets) -> pd.DataFrame:
    """Return one row per layer: how its units spread, its base rates, and its targets at the lowest and highest rate."""
    columns = {
        "layer": range(len(calibration.mu)),
        "median sigma": np.median(calibration.sigma, axis=1),
        "units below EPS": calibration.clamped.sum(axis=1),
    }
    for spike_def, base in targets.base.items():
        short = spike_def.removeprefix("SPIKE_").lower().replace("_", " ")
        columns[f"base rate, {short}"] = base
        for rate in (targets.rates[0], targets.rates[-1]):
            columns[f"target at {rate:g}, {short}"] = targets.target(spike_def, rate)
    return pd.DataFrame(columns)
