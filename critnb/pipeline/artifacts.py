"""How rasters and null samples are stored and read back: one writer and one reader each. No torch."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from critnb.canon import CANON, NullId
from critnb.criticality.null_sample import NullSample
from critnb.errors import DataError
from critnb.lattice import RASTER_NULLS, ConditionTable, Raster, from_planes
from critnb.lattice.conditions import COND_ID
from critnb.pipeline.session import StageSession
from critnb.runs import Run
from critnb.runs.decoding import npz_arrays, npz_parts, npz_shape

NullSamples = Mapping[NullId, NullSample]
_OUT = CANON.OUTPUT


def save_raster(stage: StageSession, raster: Raster) -> None:
    """Write a stage's raster and, by the same hand, the table that names its conditions."""
    _save(stage, raster, _OUT.RASTER_NPZ_BASENAME, _OUT.CONDITIONS_PARQUET_BASENAME)


def load_raster(run: Run) -> Raster:
    """Return the raster that ``save_raster`` wrote in a run."""
    return _load(run, _OUT.RASTER_NPZ_BASENAME, _OUT.CONDITIONS_PARQUET_BASENAME)


def save_null_raster(stage: StageSession, raster: Raster) -> None:
    """Write the kept null rasters and the table that names their conditions."""
    _save(stage, raster, _OUT.NULL_NPZ_BASENAME, _OUT.NULL_CONDITIONS_PARQUET_BASENAME)


def load_null_raster(run: Run) -> Raster:
    """Return the rasters that ``save_null_raster`` wrote in a run."""
    return _load(run, _OUT.NULL_NPZ_BASENAME, _OUT.NULL_CONDITIONS_PARQUET_BASENAME)


def _save(stage: StageSession, raster: Raster, arrays: str, conditions: str) -> None:
    table = raster.conditions.to_frame()
    stage.save_npz(arrays, raster.arrays())
    stage.save_parquet(conditions, table)
    stage.conditions(table)


def _load(run: Run, arrays: str, conditions: str) -> Raster:
    table = ConditionTable.from_frame(run.parquet(run.result(conditions)))
    return run.decoded(run.result(arrays), lambda data: read_raster(data, table))


def read_raster(data: bytes, conditions: ConditionTable) -> Raster:
    """Return the raster of the bytes of an NPZ file, of which no more than a condition is unpacked at a time.

    Raises DataError for bytes that are no raster, or one of other conditions.
    """
    others = npz_arrays(data, (COND_ID, "seq_id", "tokens"))
    return from_planes(npz_parts(data, ("X", "A")), npz_shape(data, "A")[1:], others, conditions)


def save_samples(stage: StageSession, samples: NullSamples) -> None:
    """Write the branching of every null replicate, and beside it the mean sums per sequence."""
    frames = [sample.to_frame().assign(null_id=str(null_id)) for null_id, sample in samples.items()]
    stage.save_parquet(_OUT.NULL_REPLICATES_PARQUET_BASENAME, pd.concat(frames, ignore_index=True))
    means = {
        f"{null_id}.{name}": array for null_id, sample in samples.items() for name, array in sample.arrays().items()
    }
    stage.save_npz(_OUT.NULL_SEQUENCE_SUMS_NPZ_BASENAME, means)


def load_samples(run: Run) -> NullSamples:
    """Return what ``save_samples`` wrote in a run; raises DataError where it has not drawn a null of the registry."""
    frame = run.parquet(run.result(_OUT.NULL_REPLICATES_PARQUET_BASENAME))
    arrays = run.npz(run.result(_OUT.NULL_SEQUENCE_SUMS_NPZ_BASENAME))
    if missing := set(map(str, RASTER_NULLS)) - set(frame["null_id"]):
        raise DataError(f"{run.run_id}: it has no replicates of {', '.join(sorted(missing))}; run its stage again")
    return {
        null_id: NullSample.from_stored(
            frame[frame["null_id"] == str(null_id)],
            {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{null_id}.")},
        )
        for null_id in RASTER_NULLS
    }
