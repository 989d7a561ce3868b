"""S04: the nulls of every condition, and the one among them that takes the model: shuffled tokens."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, NullId, SliceRole, Stage
from critnb.events import extract
from critnb.lattice import Raster, null_of, token_shuffle_order
from critnb.lattice.thresholds import tau_of
from critnb.model.forward import Setting
from critnb.pipeline.artifacts import NullSamples
from critnb.pipeline.session import StageSession
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s04_nulls.tables import NullRasters, keep
from critnb.stages.shared.conditions import conditions_of, raster_of


def keep_one(stage: StageSession) -> NullRasters:
    """Write one replicate of each null, the token shuffle included, for every MLP_GLOBAL condition at g1 and g*."""
    return keep(stage, lambda kept: _token_shuffle(stage, kept))


def _token_shuffle(stage: StageSession, kept: Raster) -> Raster:
    """Return the rasters of the kept conditions on windows whose interior tokens were shuffled, thresholds unchanged."""
    windows = stage.slice(SliceRole.A_raster)
    calibration, targets = upstream_calibration(stage)
    run = stage.upstream(Stage.S03)
    thresholds = run.parquet(run.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    tokens = shuffled_tokens(
        windows.tokens, windows.window_id, stage.model.tokenizer.all_special_ids, seed=stage.params.nulls.seed
    )
    settings = [Setting(Intervention.MLP_GLOBAL, gain) for gain in sorted({c.gain for c in kept.conditions})]
    passes = stage.forward_passes()
    spike_defs = tuple(targets.base)
    counts = []
    for setting in settings:
        tau = tau_of(thresholds, setting.intervention, setting.gain, spike_defs, targets.rates)
        with stage.progress(f"token shuffle gain {setting.gain:g}", len(tokens)) as advance:
            counts.append(extract(passes, tokens, calibration, tau, spike_defs, setting, advance))
    conditions = conditions_of(
        settings, model_role=stage.role, spike_defs=spike_defs, rates=targets.rates,
        null_id=NullId.NULL_TOKEN_SHUFFLE_INPUT,
    )  # fmt: skip
    raster = raster_of(counts, conditions, windows.window_id)
    wanted = [conditions.index(c.with_null(NullId.NULL_TOKEN_SHUFFLE_INPUT)) for c in kept.conditions]
    return raster.take(wanted)


def shuffled_tokens(
    tokens: NDArray[np.int64], window_id: NDArray[np.int32], special_ids: list[int], *, seed: int
) -> NDArray[np.int64]:
    """Return windows [N, T] with their interior tokens permuted; special tokens and both ends stay in place."""
    special = np.isin(tokens, special_ids)
    orders = [token_shuffle_order(special[row], seed=seed, seq_id=int(window_id[row])) for row in range(len(tokens))]
    return np.take_along_axis(tokens, np.stack(orders), axis=1)


def threshold_table(thresholds: pd.DataFrame) -> pd.DataFrame:
    """Return one row per spike definition and rate: the largest miss on A_cal and the spread of held-out rates."""
    judged = thresholds.assign(
        off=(thresholds["events"] - thresholds["target_events"]).abs(),
        held_out=thresholds["achieved_rate_raster"] / thresholds["target_layer_rate"],
    ).groupby(["spike_def_id", "target_rate"])
    return judged.agg(
        thresholds=("tau", "size"),
        ties=("ties", "max"),
        largest_miss=("off", "max"),
        held_out_min=("held_out", "min"),
        held_out_max=("held_out", "max"),
    ).reset_index()


def comparison_table(stage: StageSession, samples: NullSamples) -> pd.DataFrame:
    """Return one row per condition at g1 and g*: b_tot, and its mean and standard deviation under each raster null."""
    run = stage.upstream(Stage.S03)
    real = run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    columns = {
        f"{statistic} ({null_of(null_id).name})": getattr(pd.DataFrame(sample.pooled.b_tot), method)(axis=1)
        for null_id, sample in samples.items()
        for statistic, method in (("b_tot", "mean"), ("sd", "std"))
    }
    shown = ["spike_def_id", "target_rate", "intervention_id", "gain", "occupancy", "b_tot", *columns]
    return real.assign(**columns).loc[real["is_g1"] | real["is_gstar"], shown].reset_index(drop=True)
