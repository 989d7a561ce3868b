"""S01: moments of every unit, base rates, and the target rate of every layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import SliceRole, SpikeDef, Stage
from critnb.events import Calibration, RateTargets
from critnb.events.calibration import Moments
from critnb.events.shards import BaseEventsOf, MomentsOf
from critnb.model.elsewhere import Passes
from critnb.model.forward import Setting
from critnb.model.shards import Shard, spans
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
    calibration = _moments(stage, passes, windows.tokens)
    base = _base_rates(stage, passes, windows.tokens, calibration)
    targets = RateTargets(params.events.tau0, stage.model.n_units, base, tuple(params.events.target_rates))
    length = params.windows.seq_len - params.windows.burn_in_tokens
    targets.check_feasible(windows=len(windows.tokens), tokens=length)
    save_calibration(stage, calibration, targets)
    return calibration, targets


def _moments(stage: StageSession, passes: Passes, tokens: NDArray[np.int64]) -> Calibration:
    """Return mu and sigma, with windows merged in their order wherever they were run, so that no bit depends on that."""
    moments = Moments(stage.model.n_layers, stage.model.n_units)
    # a batch a shard: more would be held at once
    shards = _shards(passes, tokens, parts=len(tokens))
    with stage.step("moments"), stage.progress("moments", len(tokens)) as advance:
        for found in stage.engine.iter_passes(MomentsOf(tokens), shards, passes=passes, on_done=advance):
            for mean, squares in zip(*found, strict=True):
                moments.merge_window(tokens.shape[1] - passes.burn_in, mean=mean, squares=squares)
    return moments.finish()


def _base_rates(
    stage: StageSession, passes: Passes, tokens: NDArray[np.int64], calibration: Calibration
) -> Mapping[SpikeDef, NDArray[np.float64]]:
    events = stage.params.events
    work = BaseEventsOf(tokens, calibration, events.spike_defs, events.tau0)
    shards = _shards(passes, tokens, parts=stage.engine.passes_at_once())
    with stage.step("base rates"), stage.progress("base rates", len(tokens)) as advance:
        found = sum(stage.engine.iter_passes(work, shards, passes=passes, on_done=advance))
    n_samples = len(tokens) * (tokens.shape[1] - passes.burn_in) * stage.model.n_units
    return dict(zip(events.spike_defs, found / n_samples, strict=True))


def _shards(passes: Passes, tokens: NDArray[np.int64], *, parts: int) -> list[Shard]:
    return [
        Shard(Setting(), *span) for span in spans(len(tokens), batch=passes.batch_windows(tokens.shape[1]), parts=parts)
    ]


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
