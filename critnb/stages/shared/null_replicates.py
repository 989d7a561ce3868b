"""Replicates of the raster nulls for a stage's raster: drawn, reduced to branching, and written."""

from __future__ import annotations

from collections.abc import Sequence

from critnb.canon import NullId
from critnb.criticality.null_sample import ConditionSample, NullSample
from critnb.criticality.nulltest import null_branching
from critnb.lattice import RASTER_NULLS, Raster
from critnb.pipeline.artifacts import NullSamples, save_samples
from critnb.pipeline.session import StageSession


def draw_replicates(stage: StageSession, raster: Raster, replicates: Sequence[int]) -> NullSamples:
    """Draw ``replicates`` [C] of each raster null for every condition of a raster, and write the branching that they give."""
    seed = stage.params.nulls.seed
    shards = [(null_id, cond_id) for null_id in RASTER_NULLS for cond_id in range(len(raster.conditions))]

    def draw(shard: tuple[NullId, int]) -> ConditionSample:
        null_id, cond_id = shard
        counts, key = raster.counts[cond_id], raster.conditions[cond_id].key()
        return ConditionSample.of(
            null_branching(
                counts,
                raster.seq_id,
                null_id,
                seed=seed,
                condition_key=key,
                replicates=range(replicates[cond_id]),
                tokens=raster.tokens,
            )
        )

    with stage.step("null replicates"), stage.progress("null replicates", len(shards), "condition") as advance:
        drawn = dict(zip(shards, stage.engine.map_shards(draw, shards, on_done=advance), strict=True))
    samples = {
        null_id: NullSample.join([drawn[null_id, cond_id] for cond_id in range(len(raster.conditions))])
        for null_id in RASTER_NULLS
    }
    save_samples(stage, samples)
    return samples
