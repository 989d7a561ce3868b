"""Folders of runs: one opened, all listed, two compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from critnb.api.opened import OpenedRun
from critnb.api.words import identifier
from critnb.canon import CANON, PACK_ROOT, ModelRole, Stage
from critnb.errors import DependencyError
from critnb.runs import RunRecord, RunStore


def open_run(name: str | Path, *, runs_dir: str | Path | None = None, role: str | None = None) -> OpenedRun:
    """Open a complete run.

    name: a run id, the path of a run, or a stage, which means its newest run (of the model ``role``, where it is given).
    runs_dir: ``runs`` here, or the pack's where there is none here.

    Raises:
        DependencyError: there is no such run, or it is not complete.
        IntegrityError: its record is broken.
        ParamsError: an unknown model role.
    """
    path = Path(name)
    if len(path.parts) > 1 or (runs_dir is None and path.is_dir()):
        store = RunStore(path.resolve().parent)
        return OpenedRun(store.open(path.name), store)
    store = RunStore(_folder(runs_dir))
    if str(name) not in Stage.__members__:
        return OpenedRun(store.open(str(name)), store)
    kind = None if role is None else identifier(ModelRole, role, "role")
    runs = [run for run in store.runs(Stage(str(name))) if kind is None or str(kind) in run.roles]
    if not runs:
        of = "" if kind is None else f" of {kind}"
        raise DependencyError(f"{store.root} holds no complete run of {name}{of}; make it with: runner.py {name}")
    return OpenedRun(runs[-1], store)


def list_runs(runs_dir: str | Path | None = None) -> pd.DataFrame:
    """Return one row a run of the folder: run_id, stage, role, state, created (UTC) and path; runs_dir as ``open_run``."""
    rows = [
        (
            *(entry.run_id, str(entry.record.stage_id) if entry.record else "", _entry_role(entry.record)),
            *(str(entry.state), entry.record.created_utc if entry.record else "", str(entry.path)),
        )
        for entry in RunStore(_folder(runs_dir)).entries()
    ]
    return pd.DataFrame(rows, columns=["run_id", "stage", "role", "state", "created", "path"])


@dataclass(frozen=True, repr=False)
class RunComparison:
    """What differs between two runs of a stage, in lines."""

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
    from critnb.compare import compare, told

    one, other = (run if isinstance(run, OpenedRun) else open_run(run, runs_dir=runs_dir) for run in (old, new))
    return RunComparison(tuple(told(compare(one.run, other.run))))


def _folder(runs_dir: str | Path | None) -> Path:
    if runs_dir is not None:
        return Path(runs_dir).resolve()
    here = Path.cwd() / CANON.PATH.RUNS_DIR
    return here if here.is_dir() else PACK_ROOT / CANON.PATH.RUNS_DIR


def _entry_role(record: RunRecord | None) -> str:
    return ",".join(record.hash_inputs.roles) if record and record.hash_inputs else ""
