"""Do the work of a finished stage again, from the artifacts that lie beside it, and keep what it would have written.

A replayed stage has the same session as ever; only its run is a stand-in that writes nothing to disk. Nothing of the
kind needs a model: what is replayed are the stages and parts of stages that read artifacts only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import pandas as pd
from numpy.typing import NDArray

from critnb.canon import Stage
from critnb.local import Local
from critnb.runs import PartialRun, Run, RunRecord
from critnb.runs.encoding import csv_bytes, json_bytes, npz_bytes, parquet_bytes
from critnb.session import StageSession
from critnb.stages import spec_of

Work = Callable[[StageSession, Run], object]


def replay(run: Run, work: Work) -> dict[str, bytes]:
    """Return path -> bytes of what the work of a stage writes when it is done again beside the run; raises as the work."""
    stand_in = _StandIn(run)
    session = StageSession(spec_of(run.stage), cast(PartialRun, stand_in), Local(run.path))
    work(session, run)
    return stand_in.written


def works() -> Mapping[Stage, Work]:
    """Return what can be done again, by stage."""
    from critnb.steps import (
        analysis,
        arc_table,
        gain_grid_table,
        generalization_table,
        nulls_table,
        paper,
        rasters_table,
        selection,
    )

    return {
        Stage.S02: gain_grid_table.retabulate,
        Stage.S02B: lambda stage, _: selection.choose(stage),
        Stage.S03: rasters_table.retabulate,
        Stage.S04: nulls_table.retabulate,
        Stage.S05: lambda stage, _: analysis.analyse(stage),
        Stage.S06B: generalization_table.retabulate,
        Stage.S06ARC: arc_table.retabulate,
        Stage.S07: lambda stage, _: paper.write(stage, paper.judge(stage)),
    }


# what takes a model, or is shown and not concluded from
NOT_REPLAYED = (
    f"forward passes ({Stage.S01}, rasters of {Stage.S02}, {Stage.S03} and {Stage.S06B}, scores of {Stage.S06ARC}, "
    f"shuffled tokens of {Stage.S04}), {Stage.S00}, figures, notebooks, gates"
)


class _StandIn:
    """Has the face of a run in the making and the record of the finished one; keeps in memory what is written."""

    def __init__(self, run: Run) -> None:
        self.run_id, self.path, self.stage = run.run_id, run.path, run.stage
        self.record: RunRecord = run.record
        self.written: dict[str, bytes] = {}

    def write_bytes(self, relative: str, data: bytes, _: str | None = None) -> None:
        self.written[relative] = data

    def write_csv(self, relative: str, frame: pd.DataFrame) -> None:
        self.written[relative] = csv_bytes(frame)

    def write_parquet(self, relative: str, frame: pd.DataFrame) -> None:
        self.written[relative] = parquet_bytes(frame)

    def write_npz(self, relative: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.written[relative] = npz_bytes(arrays)

    def write_json(self, relative: str, value: Any) -> None:
        self.written[relative] = json_bytes(value)

    @contextmanager
    def timing(self, _: str) -> Iterator[None]:
        yield

    def update(self, **_: Any) -> None:
        """The record is finished."""

    def log(self, *_: Any, **__: Any) -> None:
        """There is no log."""
