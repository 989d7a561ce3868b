"""``--use``: upstream runs that the user pins, each with the runs that it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from critnb.canon import ModelRole, Stage
from critnb.errors import DependencyError, ParamsError
from critnb.runs import Run, RunStore, ancestors

Place = tuple[Stage, ModelRole | None]


def pinned_runs(store: RunStore, pins: Mapping[Stage, str], roles: Sequence[ModelRole]) -> dict[Place, Run]:
    """Return the pinned runs and everything upstream of them, by stage and role (None where a run joins roles).

    Raises DependencyError for a run that is not there, is of a role that is not planned, or where two pins rest on
    different runs of a stage; ParamsError for a run of another stage than the pin names.
    """
    found: dict[Place, Run] = {}
    for stage, name in pins.items():
        run = store.open(name)
        if run.stage != stage:
            raise ParamsError(f"--use {stage}={name}: that is a run of stage {run.stage}")
        if strangers := [role for role in run.roles if role not in roles]:
            raise DependencyError(
                f"--use {stage}={name}: that run is of role {strangers[0]}; add --role {strangers[0]}"
            )
        for upstream in (run, *ancestors(store, [run]).every()):
            if found.setdefault(_place(upstream), upstream).run_id != upstream.run_id:
                raise DependencyError(
                    f"--use: the pinned runs rest on different runs of {upstream.stage}; pin only one of them"
                )
    return found


def _place(run: Run) -> Place:
    return run.stage, None if run.inputs.joins_roles else ModelRole(run.roles[0])
