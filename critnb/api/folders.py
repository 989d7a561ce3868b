"""Folders of runs: one opened, all listed, two compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from critnb.api.arguments import identifier
from critnb.api.opened_run import OpenedRun
from critnb.canon import ModelRole, Stage
from critnb.contract import StageSpec, spec_of
from critnb.errors import DependencyError, ParamsError
from critnb.runs import Run, RunRecord, RunStore, locate_run, runs_folder


def open_run(name: str | Path, *, runs_dir: str | Path | None = None, role: str | None = None) -> OpenedRun:
    """Open a complete run.

    name: a run id, the path of a run, or a stage, which means its newest run. ``role`` chooses among runs of several model
    roles. runs_dir: by default the pack's ``runs/``.

    Raises:
        DependencyError: there is no such run, or it is not complete.
        IntegrityError: its record is broken.
        ParamsError: an unknown model role, or none where runs of a stage are of several.
    """
    store = RunStore(runs_folder(runs_dir))
    if str(name) in Stage.__members__:
        return OpenedRun(_newest(store, spec_of(Stage(str(name))), role), store)
    folder, run_id = locate_run(str(name), store)
    return OpenedRun(folder.open(run_id), folder)


def _newest(store: RunStore, spec: StageSpec, role: str | None) -> Run:
    kind = None if role is None else identifier(ModelRole, role, "role")
    runs = [run for run in store.runs(spec.id) if kind is None or str(kind) in run.roles]
    if not runs:
        of, option = ("", "") if kind is None else (f" of {kind}", f" --role {kind}")
        raise DependencyError(
            f"{store.root} holds no complete run of {spec.id}{of}; make it with: runner.py {spec.command}{option}"
        )
    several = sorted({one for run in runs for one in run.roles})
    if kind is None and len(several) > 1 and not spec.joins_roles:
        choices = " or ".join(f'role="{one}"' for one in several)
        raise ParamsError(f"{store.root} holds runs of {spec.id} of several model roles; give {choices}")
    return runs[-1]


def list_runs(runs_dir: str | Path | None = None) -> pd.DataFrame:
    """Return one row per run of the folder: run_id, stage, role, state, created (UTC) and path; runs_dir as ``open_run``."""
    rows = [
        (
            *(entry.run_id, str(entry.record.stage_id) if entry.record else "", _entry_role(entry.record)),
            *(str(entry.state), entry.record.created_utc if entry.record else "", str(entry.path)),
        )
        for entry in RunStore(runs_folder(runs_dir)).entries()
    ]
    return pd.DataFrame(rows, columns=["run_id", "stage", "role", "state", "created", "path"])


@dataclass(frozen=True, repr=False)
class RunComparison:
    """The differences between two runs of a stage, in lines."""

    lines: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def compare_runs(
    old: str | Path | OpenedRun, new: str | Path | OpenedRun, *, runs_dir: str | Path | None = None
) -> RunComparison:
    """Compare two runs of one stage: params, code, data, environment, and every number with its largest difference.

    Raises:
        ParamsError: they are of different stages.
        DependencyError, IntegrityError: as ``open_run``.
    """
    from critnb.review.diff import compare, format_diff

    one, other = (run if isinstance(run, OpenedRun) else open_run(run, runs_dir=runs_dir) for run in (old, new))
    return RunComparison(tuple(format_diff(compare(one.run, other.run))))


def _entry_role(record: RunRecord | None) -> str:
    return record.hash_inputs.who if record and record.hash_inputs else ""
