"""Replicates of the raster nulls for a stage's raster: drawn, reduced to branching, and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from critnb.canon import NullId
from critnb.criticality.null_sample import ConditionSample, NullSample
from critnb.criticality.nulltest import null_branching
from critnb.lattice import RASTER_NULLS, Raster
from critnb.pipeline.artifacts import NullSamples, save_samples
from critnb.pipeline.session import StageSession


def draw_replicates(stage: StageSession, raster: Raster, replicates: Sequence[int]) -> NullSamples:
    """Draw ``replicates`` [C] of each raster null for every condition of a raster, and write the branching that they give."""
    shards = [OneCondition(raster.take([i]), replicates[i]) for i in range(len(raster.conditions))]
    draw = Drawn(stage.params.nulls.seed)
    with stage.step("null replicates"), stage.progress("null replicates", len(shards), "condition") as advance:
        drawn = stage.engine.map_shards(draw, shards, on_done=advance)
    samples = {null_id: NullSample.join([each[null_id] for each in drawn]) for null_id in RASTER_NULLS}
    save_samples(stage, samples)
    return samples


@dataclass(frozen=True, eq=False)
class OneCondition:
    """The raster of one condition, and how many replicates of each null it gets."""

    raster: Raster
    replicates: int


@dataclass(frozen=True)
class Drawn:
    """Draws the replicates of a condition; random words follow from ``seed``, condition, null and replicate alone."""

    seed: int

    def __call__(self, one: OneCondition) -> Mapping[NullId, ConditionSample]:
        """Return a sample of each raster null."""
        raster = one.raster
        return {
            null_id: ConditionSample.of(
                null_branching(
                    raster.counts[0],
                    raster.seq_id,
                    null_id,
                    seed=self.seed,
                    condition_key=raster.conditions[0].key(),
                    replicates=range(one.replicates),
                    tokens=raster.tokens,
                )
            )
            for null_id in RASTER_NULLS
        }
