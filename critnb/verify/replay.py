"""Do the work of a finished stage again, from the artifacts that lie beside it, and keep what it would have left.

A replayed stage has the usual session; only its run is a stand-in that writes nothing to disk. No replay needs a model: only
stages and parts of stages that read artifacts are replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import pandas as pd

from critnb.canon import Stage
from critnb.contract import spec_of
from critnb.gates import Gate
from critnb.pipeline.options import RunOptions
from critnb.pipeline.session import Arrays, StageSession
from critnb.runs import Artifact, Run
from critnb.runs.encoding import csv_bytes, json_bytes, npz_bytes, parquet_bytes
from critnb.runs.files import HashingSink
from critnb.runs.partial import media_type

Work = Callable[[StageSession, Run], object]
Gates = Callable[[StageSession], list[Gate]]


@dataclass(frozen=True)
class StageWork:
    """What of a stage can be done again: its work and its gates, by the functions that its notebook calls."""

    work: Work
    gates: Gates


@dataclass(frozen=True)
class Replayed:
    """What a finished stage would leave when its work is done again beside it.

    ``files``: bytes by path. ``metrics`` with gates, ``conditions``: what its record would say. ``shown``: its gates as
    its notebook shows them.
    """

    files: Mapping[str, bytes]
    metrics: Mapping[str, Any]
    conditions: Sequence[Mapping[str, Any]]
    shown: str


def replay(run: Run, again: StageWork) -> Replayed:
    """Do the work of a stage again beside its run, and judge its gates again; raises what the work raises."""
    stand_in = _StandIn(run)
    session = StageSession(spec_of(run.stage), stand_in, RunOptions(base_dir=run.path))
    again.work(session, run)
    shown = session.judge(*again.gates(session)).data
    return Replayed(stand_in.written, stand_in.record.metrics, stand_in.record.conditions, shown)


def works() -> Mapping[Stage, StageWork]:
    """Return what can be done again, by stage: at least the gates of every stage in a release."""
    from critnb.stages.s00_validate import tables as validation_table
    from critnb.stages.s01_calibrate import tables as calibration_table
    from critnb.stages.s02_gain_grid import tables as gain_grid_table
    from critnb.stages.s02b_select_gstar import work as selection
    from critnb.stages.s03_rasters import tables as rasters_table
    from critnb.stages.s04_nulls import tables as nulls_table
    from critnb.stages.s05_analysis import work as analysis
    from critnb.stages.s06arc_questions import tables as arc_table
    from critnb.stages.s06b_generalize import tables as generalization_table
    from critnb.stages.s07_paper import work as paper

    return {
        Stage.S00: StageWork(validation_table.retabulate, validation_table.gates),
        Stage.S01: StageWork(calibration_table.retabulate, calibration_table.gates),
        Stage.S02: StageWork(gain_grid_table.retabulate, gain_grid_table.gates),
        Stage.S02B: StageWork(lambda stage, _: selection.choose(stage), selection.gates),
        Stage.S03: StageWork(rasters_table.retabulate, rasters_table.gates),
        Stage.S04: StageWork(nulls_table.retabulate, nulls_table.gates),
        Stage.S05: StageWork(lambda stage, _: analysis.analyse(stage), analysis.gates),
        Stage.S06B: StageWork(generalization_table.retabulate, generalization_table.gates),
        Stage.S06ARC: StageWork(arc_table.retabulate, arc_table.gates),
        Stage.S07: StageWork(lambda stage, _: paper.write(stage, paper.judge(stage)), paper.gates),
    }


# what takes a model, or is shown and not concluded from
NOT_REPLAYED = (
    f"forward passes (deviations of {Stage.S00}, mu, sigma and base rates of {Stage.S01}, rasters of {Stage.S02}, "
    f"{Stage.S03} and {Stage.S06B}, scores of {Stage.S06ARC}, shuffled tokens of {Stage.S04}), figures, tables in notebooks"
)


class _StandIn:
    """Stands in for a run in the making, with the record of the finished one; keeps in memory what is written."""

    def __init__(self, run: Run) -> None:
        self.run_id, self.path, self.stage = run.run_id, run.path, run.stage
        self.record = replace(run.record, metrics={}, conditions=())
        self.written: dict[str, bytes] = {}

    def write_stream(self, relative: str, fill: Callable[[HashingSink], object], media: str | None = None) -> Artifact:
        buffer = BytesIO()
        sink = HashingSink(buffer)
        fill(sink)
        self.written[relative] = buffer.getvalue()
        return Artifact(relative, sink.sha256, sink.size, media or media_type(relative), self.record.created_utc)

    def write_bytes(self, relative: str, data: bytes, media_type: str | None = None) -> Artifact:
        return self.write_stream(relative, lambda sink: sink.write(data), media_type)

    def write_csv(self, relative: str, frame: pd.DataFrame) -> Artifact:
        return self.write_bytes(relative, csv_bytes(frame))

    def write_parquet(self, relative: str, frame: pd.DataFrame) -> Artifact:
        return self.write_bytes(relative, parquet_bytes(frame))

    def write_npz(self, relative: str, arrays: Arrays) -> Artifact:
        return self.write_bytes(relative, npz_bytes(arrays))

    def write_json(self, relative: str, value: Any) -> Artifact:
        return self.write_bytes(relative, json_bytes(value))

    def update(self, **sections: Any) -> None:
        self.record = self.record.with_sections(sections)

    # there are no checkpoints, no log, no clock and no lock
    def load_checkpoint(self, name: str) -> None: ...

    def save_checkpoint(self, name: str, arrays: Arrays) -> None: ...

    def log(self, event_type: str, **payload: Any) -> None: ...

    def timing(self, step: str) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()

    def close(self) -> None: ...
