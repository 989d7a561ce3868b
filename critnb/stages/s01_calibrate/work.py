"""S01: moments of every unit, base rates, and the target rate of every layer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.canon import SliceRole, Stage
from critnb.errors import ModelError
from critnb.events import Calibration, RateTargets, base_rates, calibrate
from critnb.pipeline.session import StageSession
from critnb.stages.s01_calibrate.tables import load_calibration, save_calibration

_FEWEST_LAYERS = 2


def measure(stage: StageSession) -> tuple[Calibration, RateTargets]:
    """Run the two passes over A_cal at gain 1, check that every rate can be matched, and write both results.

    Raises DataError where a layer would have too few events, naming layer, rate and the windows needed; ModelError for a
    model of one layer.
    """
    params = stage.params
    if stage.model.n_layers < _FEWEST_LAYERS:
        raise ModelError(
            "a model of one layer has no next layer, so b_depth and b_tot are not defined; take one of two or more"
        )
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
