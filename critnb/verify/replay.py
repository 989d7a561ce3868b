"""Do the work of a finished stage again, from the artifacts that lie beside it, and keep what it would have left.

A replayed stage has the usual session; only its run is a stand-in that writes nothing to disk. No replay needs a model: only
stages and parts of stages that read artifacts are replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from critnb.runs.encoding import csv_bytes, json_bytes, npz_bytes, parquet_writer
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
    from critnb.stages.s00_validate import tables as s00
    from critnb.stages.s01_calibrate import tables as s01
    from critnb.stages.s02_gain_grid import tables as s02
    from critnb.stages.s02b_select_gstar import work as s02b
    from critnb.stages.s03_rasters import tables as s03
    from critnb.stages.s04_nulls import tables as s04
    from critnb.stages.s04k_knock_out import tables as s04k
    from critnb.stages.s05_analysis import work as s05
    from critnb.stages.s06arc_questions import tables as s06arc
    from critnb.stages.s06b_generalize import tables as s06b
    from critnb.stages.s07_paper import work as s07

    return {
        Stage.S00: StageWork(s00.retabulate, s00.gates),
        Stage.S01: StageWork(s01.retabulate, s01.gates),
        Stage.S02: StageWork(s02.retabulate, s02.gates),
        Stage.S02B: StageWork(lambda stage, _: s02b.choose(stage), s02b.gates),
        Stage.S03: StageWork(s03.retabulate, s03.gates),
        Stage.S04: StageWork(s04.retabulate, s04.gates),
        Stage.S04K: StageWork(s04k.retabulate, s04k.gates),
        Stage.S05: StageWork(lambda stage, _: s05.analyse(stage), s05.gates),
        Stage.S06B: StageWork(s06b.retabulate, s06b.gates),
        Stage.S06ARC: StageWork(s06arc.retabulate, s06arc.gates),
        Stage.S07: StageWork(lambda stage, _: s07.write(stage, s07.judge(stage)), s07.gates),
    }


# what takes a model, or is shown and not concluded from
NOT_REPLAYED = (
    f"forward passes (deviations of {Stage.S00}, mu, sigma and base rates of {Stage.S01}, rasters of {Stage.S02}, "
    f"{Stage.S03} and {Stage.S06B}, scores of {Stage.S06ARC}, shuffled tokens of {Stage.S04}, "
    f"counts and growths of {Stage.S04K}), figures, tables and sketches in notebooks"
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

    def write_parquet(self, relative: str, frame: pd.DataFrame | Iterable[pd.DataFrame]) -> Artifact:
        return self.write_stream(relative, parquet_writer(frame))

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
