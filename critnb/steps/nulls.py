"""S04: thresholds checked again, and the nulls of every condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, NullId, SliceRole, Stage
from critnb.criticality.metrics import condition_metrics
from critnb.errors import IntegrityError
from critnb.events import extract
from critnb.events.thresholds import tau_of
from critnb.gates import Gate
from critnb.language.forward import Setting
from critnb.lattice import (
    RASTER_NULLS,
    Raster,
    concatenate,
    marginals_exact,
    null_raster,
    token_shuffle_order,
)
from critnb.session import StageSession
from critnb.steps import calibration as calibration_step
from critnb.steps.artifacts import NullSamples, load_raster, save_null_raster
from critnb.steps.conditions import EVENT_KEYS, conditions_of, raster_of
from critnb.steps.gain_grid import rate_gates
from critnb.steps.null_replicates import draw_replicates


def check_thresholds(stage: StageSession) -> pd.DataFrame:
    """Count the events of every threshold again, in the stored rasters of A_cal and A_raster, and write the canonical table.

    Raises IntegrityError where a count differs from the table's.
    """
    run = stage.upstream(Stage.S03)
    table = run.parquet(run.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    checked = _recount(table, load_raster(stage.upstream(Stage.S02)), "events")
    checked += _recount(table, load_raster(run), "events_raster")
    stage.save_parquet(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME, table)
    stage.summary(thresholds=len(table), counts_checked_again=checked)
    return table


def _recount(table: pd.DataFrame, raster: Raster, column: str) -> int:
    frame = raster.conditions.to_frame()[EVENT_KEYS]
    per_layer = raster.counts.sum(axis=(1, 3), dtype=np.int64)
    counted = frame.loc[frame.index.repeat(per_layer.shape[1])].reset_index(drop=True)
    counted = counted.assign(layer=np.tile(np.arange(per_layer.shape[1]), len(frame)), counted=per_layer.ravel())
    joined = table.merge(counted, on=[*EVENT_KEYS, "layer"])
    wrong = joined[joined["counted"] != joined[column]]
    if len(wrong):
        row = wrong.iloc[0]
        raise IntegrityError(
            f"thresholds: layer {row['layer']} at gain {row['gain']:g} is recorded with {row[column]} events, "
            f"its raster holds {row['counted']}; run the stages again from {Stage.S02}"
        )
    return len(joined)


def replicate(stage: StageSession) -> NullSamples:
    """Draw R replicates of both raster nulls for every condition of S03 and write what branching they give."""
    return draw_replicates(stage, load_raster(stage.upstream(Stage.S03)))


@dataclass(frozen=True)
class NullRasters:
    """One replicate of each null for the conditions at g1 and g*, their metrics, and whether marginals are exact."""

    raster: Raster
    metrics: pd.DataFrame
    marginals_exact: dict[NullId, bool]


def keep_one(stage: StageSession) -> NullRasters:
    """Write one replicate of each null, the token shuffle included, for every MLP_GLOBAL condition at g1 and g*."""
    run = stage.upstream(Stage.S03)
    marked = run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    is_global = marked["intervention_id"] == str(Intervention.MLP_GLOBAL)
    wanted = marked.loc[is_global & (marked["is_g1"] | marked["is_gstar"]), "cond_id"]
    kept = load_raster(run).take(wanted.tolist())
    seed = stage.params.nulls.seed
    shuffled = {null_id: null_raster(kept, null_id, seed=seed) for null_id in RASTER_NULLS}
    exact = {null_id: bool(marginals_exact(kept, raster).all()) for null_id, raster in shuffled.items()}
    everything = concatenate([*shuffled.values(), _token_shuffle(stage, kept)])
    metrics = condition_metrics(everything)
    save_null_raster(stage, everything)
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, metrics)
    return NullRasters(everything, metrics, exact)


def _token_shuffle(stage: StageSession, kept: Raster) -> Raster:
    """Return the rasters of the kept conditions on windows whose interior tokens were shuffled, thresholds unchanged."""
    windows = stage.slice(SliceRole.A_raster)
    calibration, targets = calibration_step.from_upstream(stage)
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
    """Return one row a spike definition and rate: the largest miss on A_cal and the spread of held-out rates."""
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
    """Return one row a condition at g1 and g*: b_tot, and its mean and standard deviation under each raster null."""
    run = stage.upstream(Stage.S03)
    real = run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    columns = {
        f"{statistic} ({short})": getattr(samples[null_id].pooled.b_tot, method)(axis=1)
        for null_id, short in zip(RASTER_NULLS, ("permutation", "shift"), strict=True)
        for statistic, method in (("b_tot", "mean"), ("sd", "std"))
    }
    shown = ["spike_def_id", "target_rate", "intervention_id", "gain", "occupancy", "b_tot", *columns]
    return real.assign(**columns).loc[real["is_g1"] | real["is_gstar"], shown].reset_index(drop=True)


def gates(thresholds: pd.DataFrame, kept: NullRasters) -> list[Gate]:
    """Return the gates of S04: rates once more, and that the raster nulls kept what they must keep."""
    return [
        *rate_gates(thresholds),
        *(
            Gate.judge(
                f"marginals kept, {null_id}",
                passed=exact,
                value="exact" if exact else "not exact",
                condition="every row of the null holds the counts of the real row",
            )
            for null_id, exact in kept.marginals_exact.items()
        ),
    ]
