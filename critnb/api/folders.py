"""Folders of runs: one opened, all listed, two compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from critnb.api.arguments import identifier
from critnb.api.opened_run import OpenedRun
from critnb.canon import ModelRole, Stage
from critnb.contract import StageSpec, spec_of
from critnb.errors import DependencyError, ParamsError
from critnb.review.index.facts import facts_of
from critnb.runs import Run, RunStore, locate_run, model_ids, runs_folder


def open_run(
    name: str | Path, *, runs_dir: str | Path | None = None, role: str | None = None, model: str | None = None
) -> OpenedRun:
    """Open a complete run.

    name: a run id, the path of a run, or a stage, which means its newest run. ``role`` chooses among runs of several model
    roles, ``model`` among those of several models, by the model's id. runs_dir: by default the pack's ``runs/``.

    Raises:
        DependencyError: there is no such run, or it is not complete.
        IntegrityError: its record is broken.
        ParamsError: an unknown model role, or no role or model where runs of a stage are of several.
    """
    store = RunStore(runs_folder(runs_dir))
    if str(name) in Stage.__members__:
        return OpenedRun(_newest(store, spec_of(Stage(str(name))), role, model), store)
    folder, run_id = locate_run(str(name), store)
    return OpenedRun(folder.open(run_id), folder)


def _newest(store: RunStore, spec: StageSpec, role: str | None, model: str | None) -> Run:
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
    return _of_model(store, spec, runs, model)


def _of_model(store: RunStore, spec: StageSpec, runs: Sequence[Run], model: str | None) -> Run:
    """Return the newest run of the model, which has to be named where the runs are of several."""
    newest = {model_ids(store, run): run for run in runs}
    if model is None and sum(map(bool, newest)) < 2:  # a run whose upstream runs are gone may be of any
        return runs[-1]
    found = [run for run in runs if model in model_ids(store, run)]
    if found:
        return found[-1]
    listed = ", ".join(f"{' + '.join(models) or 'no model'} ({run.run_id})" for models, run in newest.items())
    if model is not None:
        meant = get_close_matches(model, [each for models in newest for each in models], n=1)
        guess = f"; did you mean {meant[0]}?" if meant else ""
        raise DependencyError(f"{store.root} holds no run of {spec.id} of model {model}{guess}\nit holds {listed}")
    raise ParamsError(
        f'{store.root} holds runs of {spec.id} of several models; give model="..." or the id of a run\n'
        f"the newest of each: {listed}"
    )


def list_runs(runs_dir: str | Path | None = None) -> pd.DataFrame:
    """Return one row per run of the folder: run_id, stage, model, role, state, created (UTC) and path; runs_dir as ``open_run``."""
    store = RunStore(runs_folder(runs_dir))
    models = {facts.run_id: facts.model for facts in facts_of(store)}
    rows = [
        (
            *(entry.run_id, str(entry.record.stage_id) if entry.record else "", models.get(entry.run_id, "")),
            *(entry.record.hash_inputs.who if entry.record and entry.record.hash_inputs else "", str(entry.state)),
            *(entry.record.created_utc if entry.record else "", str(entry.path)),
        )
        for entry in store.entries()
    ]
    return pd.DataFrame(rows, columns=["run_id", "stage", "model", "role", "state", "created", "path"])


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
