"""S01: moments of every unit, base rates, and the target rate of every layer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.canon import CANON, SliceRole, Stage
from critnb.errors import ModelError
from critnb.events import Calibration, RateTargets, base_rates, calibrate
from critnb.gates import Gate
from critnb.runs import Run
from critnb.session import StageSession

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
    stage.save_npz(CANON.OUTPUT.CALIBRATION_STATS_NPZ_BASENAME, calibration.arrays())
    stage.save_json(CANON.OUTPUT.RATE_TARGETS_JSON_BASENAME, targets.as_dict())
    stage.summary(clamped_units=int(calibration.clamped.sum()))
    return calibration, targets


def load(run: Run) -> tuple[Calibration, RateTargets]:
    """Return what S01 wrote."""
    arrays = run.npz(run.result(CANON.OUTPUT.CALIBRATION_STATS_NPZ_BASENAME))
    content = run.json(run.result(CANON.OUTPUT.RATE_TARGETS_JSON_BASENAME))
    return Calibration.from_arrays(arrays), RateTargets.from_dict(content)


def from_upstream(stage: StageSession) -> tuple[Calibration, RateTargets]:
    """Return what the upstream S01 wrote."""
    return load(stage.upstream(Stage.S01))


def layer_table(calibration: Calibration, targets: RateTargets) -> pd.DataFrame:
    """Return one row a layer: how its units spread, its base rates, and its targets at the lowest and highest rate."""
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


def gates(calibration: Calibration, targets: RateTargets) -> list[Gate]:
    """Return the gates of S01: enough expected events, and units that vary at all."""
    rarest = targets.rarest(calibration.n_samples * targets.n_units)
    clamped = int(calibration.clamped.sum())
    return [
        Gate.judge(
            "expected events",
            passed=rarest.enough,
            value=f"{rarest.events:.0f}",
            condition=f"at least {CANON.CONST.RATE_MATCH_MIN_EVENTS} in every layer, spike definition and rate",
            reason=f"fewest: {rarest.spike_def} at {rarest.rate:g}, {calibration.n_samples} tokens",
        ),
        Gate.judge(
            "units that vary",
            passed=clamped < calibration.clamped.size,
            value=f"{calibration.clamped.size - clamped} of {calibration.clamped.size}",
            condition="sigma of a unit is at least EPS",
            reason=f"{clamped} units are below and counted in the record" if clamped else "",
        ),
    ]
