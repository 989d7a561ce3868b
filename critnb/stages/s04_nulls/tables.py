"""What S04 finds out from rasters alone: thresholds counted again, replicates of the raster nulls, the kept ones, and gates.

No model, no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from critnb.canon import CANON, Intervention, NullId, Stage
from critnb.criticality.metrics import condition_metrics
from critnb.errors import IntegrityError
from critnb.gates import Gate
from critnb.lattice import RASTER_NULLS, Raster, concatenate, marginals_exact, null_of, null_raster
from critnb.pipeline.artifacts import NullSamples, load_null_raster, load_raster, save_null_raster
from critnb.pipeline.session import StageSession
from critnb.runs import Run
from critnb.stages.s02_gain_grid.tables import rate_gates
from critnb.stages.shared.conditions import EVENT_KEYS
from critnb.stages.shared.null_replicates import draw_replicates


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
    """Draw replicates of each raster null for every condition of S03, and write the branching that they give.

    Conditions that verdicts are about, MLP_GLOBAL at g1 and g*, get ``nulls.verdict_replicates``, all others ``nulls.replicates``.
    """
    run, nulls = stage.upstream(Stage.S03), stage.params.nulls
    raster, judged = load_raster(run), set(_judged(run))
    numbers = [nulls.verdict_replicates if i in judged else nulls.replicates for i in range(len(raster.conditions))]
    return draw_replicates(stage, raster, numbers)


def _judged(run: Run) -> list[int]:
    """Return the cond_ids of MLP_GLOBAL at g1 and g* of a run of S03."""
    marked = run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    is_global = marked["intervention_id"] == str(Intervention.MLP_GLOBAL)
    wanted: list[int] = marked.loc[is_global & (marked["is_g1"] | marked["is_gstar"]), "cond_id"].tolist()
    return wanted


@dataclass(frozen=True)
class NullRasters:
    """One replicate of each null for the conditions at g1 and g*, and their metrics."""

    raster: Raster
    metrics: pd.DataFrame


def keep(stage: StageSession, shuffled_input: Callable[[Raster], Raster]) -> NullRasters:
    """Write one replicate of each null for every MLP_GLOBAL condition at g1 and g*.

    ``shuffled_input`` gives the rasters of these conditions on shuffled tokens, which take a model.
    """
    run = stage.upstream(Stage.S03)
    kept = load_raster(run).take(_judged(run))
    seed = stage.params.nulls.seed
    shuffled = {null_id: null_raster(kept, null_id, seed=seed) for null_id in RASTER_NULLS}
    everything = concatenate([*shuffled.values(), shuffled_input(kept)])
    metrics = condition_metrics(everything)
    save_null_raster(stage, everything)
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, metrics)
    return NullRasters(everything, metrics)


def retabulate(stage: StageSession, run: Run) -> None:
    """Write again what a finished run of S04 holds, its rasters on shuffled tokens alone as they are."""
    stored = load_null_raster(run)
    shuffled = stored.take(stored.conditions.where(null_id=NullId.NULL_TOKEN_SHUFFLE_INPUT))
    check_thresholds(stage)
    replicate(stage)
    keep(stage, lambda _: shuffled)


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S04: rates once more, and that the raster nulls kept what they must keep."""
    thresholds = stage.own.parquet(stage.own.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    real, nulls = load_raster(stage.upstream(Stage.S03)), load_null_raster(stage.own)
    return [*rate_gates(thresholds), *(_marginals_gate(real, nulls, null_id) for null_id in RASTER_NULLS)]


def _marginals_gate(real: Raster, nulls: Raster, null_id: NullId) -> Gate:
    null = nulls.take(nulls.conditions.where(null_id=null_id))
    conditions = list(real.conditions)
    of_real = real.take([conditions.index(each.with_null(NullId.NULL_NONE)) for each in null.conditions])
    exact = bool(marginals_exact(of_real, null).all())
    return Gate.judge(
        f"marginals kept, {null_id}",
        passed=exact,
        value="exact" if exact else "not exact",
        condition=null_of(null_id).keeps,
    )
