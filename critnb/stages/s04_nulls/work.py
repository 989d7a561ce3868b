"""S04: the nulls of every condition, and the one among them that takes the model: shuffled tokens."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, NullId, SliceRole, Stage
from critnb.events.shards import Extracted, side_by_side
from critnb.lattice import RASTER_NULLS, Raster, null_of
from critnb.lattice.thresholds import tau_of
from critnb.model.forward import Setting
from critnb.pipeline.artifacts import NullSamples
from critnb.pipeline.session import StageSession
from critnb.report.words import spike_words
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s04_nulls.shuffled import shuffled_tokens
from critnb.stages.s04_nulls.tables import NullRasters, keep
from critnb.stages.shared.conditions import conditions_of, passes_under, raster_of


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
    spike_defs = tuple(targets.base)
    tau = {each: tau_of(thresholds, each.intervention, each.gain, spike_defs, targets.rates) for each in settings}
    passes = stage.forward_passes()
    work = Extracted(tokens, calibration, tau, spike_defs)
    found = passes_under(stage, "token shuffle", settings, len(tokens), work, passes=passes, join=side_by_side)
    conditions = conditions_of(
        settings, model_role=stage.role, spike_defs=spike_defs, rates=targets.rates,
        null_id=NullId.NULL_TOKEN_SHUFFLE_INPUT,
    )  # fmt: skip
    raster = raster_of([each.counts for each in found], conditions, windows.window_id)
    wanted = [conditions.index(c.with_null(NullId.NULL_TOKEN_SHUFFLE_INPUT)) for c in kept.conditions]
    return raster.take(wanted)


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
    """Return one row per condition at g1 and g*: b_tot, and its mean ± standard deviation under each raster null."""
    run = stage.upstream(Stage.S03)
    real = run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    nulls = {null_of(null_id).name: _mean_and_sd(sample.pooled.b_tot) for null_id, sample in samples.items()}
    named = {
        "events": spike_words(real),
        "rate": real["target_rate"],
        "gain": real["gain"],
        "on": real["intervention_id"],
    }
    shown = pd.DataFrame({**named, "occupancy": real["occupancy"], "b_tot": real["b_tot"], **nulls})
    return shown[real["is_g1"] | real["is_gstar"]].reset_index(drop=True)


def _mean_and_sd(replicates: NDArray[np.float64]) -> list[str]:
    """Return mean ± standard deviation over the replicates [C, R] of each condition; NaN pads."""
    over = pd.DataFrame(replicates)
    return [
        "–" if np.isnan(mean) else f"{mean:.4f} ± {sd:.4f}"
        for mean, sd in zip(over.mean(axis=1), over.std(axis=1), strict=True)
    ]


def kept_table(kept: NullRasters) -> pd.DataFrame:
    """Return b_tot of the kept raster of each null: a row per condition, a column per null."""
    metrics = kept.metrics
    names = {str(NullId.NULL_TOKEN_SHUFFLE_INPUT): "token shuffle"} | {
        str(null_id): null.name for null_id, null in RASTER_NULLS.items()
    }
    rows = metrics.assign(events=spike_words(metrics), rate=metrics["target_rate"], null=metrics["null_id"].map(names))
    wide = rows.pivot(index=["events", "rate", "gain"], columns="null", values="b_tot")
    return wide[list(dict.fromkeys(rows["null"]))].rename_axis(columns=None).reset_index()
