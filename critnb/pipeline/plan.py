"""From params to runs: which run a stage's result has, whether it exists already, and why it would be made.

A run's id follows from its inputs alone, so the whole chain is known before anything is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from critnb import data
from critnb.canon import ModelRole, Stage
from critnb.contract import StageSpec, spec_of, upstream_closure
from critnb.contract.declared import project
from critnb.data.checkpoint import CONFIG, read_object
from critnb.errors import CritnbError, DependencyError, ParamsError
from critnb.params import Loaded, Params
from critnb.pipeline.feasible import judge_layers, judge_rates, judge_windows
from critnb.pipeline.input_files import InputFiles, KnownInputs
from critnb.runs import (
    HashInputs,
    Run,
    RunState,
    RunStore,
    ancestors,
    explain,
    hash_inputs,
    upstream_key,
)
from critnb.system.extras import LARGE

# stage and role of a run; the role is None where a run joins roles
Place = tuple[Stage, ModelRole | None]


@dataclass(frozen=True)
class PlannedRun:
    """The run that a stage would have under given params: its id, everything its hash covers, and what executing it needs.

    ``roles`` holds one model role, or every role that a stage joins; ``data`` is what the record says of where each corpus
    comes from. ``model_bytes``: how many bytes the weights of its model have on disk.
    """

    spec: StageSpec
    roles: tuple[ModelRole, ...]
    run_id: str
    config: Mapping[str, Any]
    inputs: HashInputs
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pinned: bool = False
    model_bytes: int = 0

    @property
    def who(self) -> str:
        """The roles as one word."""
        return self.inputs.who

    def reason(self, store: RunStore) -> str:
        """Say whether the run exists, or why it would be made: what changed since the stage's latest run."""
        state = store.state(self.run_id)
        if state is RunState.complete:
            return "pinned" if self.pinned else "complete"
        if state is RunState.held:
            return "held: another process is making it, which is waited for"
        if state is RunState.partial:
            return "partial: continue it with --allow-resume"
        earlier = [run for run in store.runs(self.spec.id) if run.record.hash_inputs]
        same_roles = [run for run in earlier if run.roles == self.roles]
        if not same_roles:
            return "never ran"
        return "changed: " + "; ".join(explain(same_roles[-1].inputs, self.inputs)[:3])


def plan_runs(
    stages: Iterable[StageSpec],
    loaded: Loaded,
    roles: Sequence[ModelRole],
    store: RunStore,
    *,
    pins: Mapping[Stage, str] | None = None,
    join_complete: bool = False,
    known: KnownInputs | None = None,
) -> list[PlannedRun]:
    """Return the runs of ``stages`` and of everything they need, upstream first, one role after the other.

    With ``join_complete``, stages that join roles take in every other role that has run, too. ``known`` keeps what plans of several
    params have in common from being read for each. Raises ParamsError for params
    that cannot work, DependencyError for a model, a corpus or a pinned run that is not there or does not match, or for an
    extra that a run to be made needs.
    """
    pinned = _pinned_runs(store, pins or {}, roles)
    files = InputFiles(loaded, known or KnownInputs())
    closure = upstream_closure(tuple(stages))
    planned: dict[Place, PlannedRun] = {}
    for role in roles:
        planned |= _plan_role([spec for spec in closure if not spec.joins_roles], role, files, pinned)
    for spec in closure:
        if spec.joins_roles:
            complete = _complete_roles(spec, roles, files, store) if join_complete else {}
            planned[spec.id, None] = _pinned(_plan_joined(spec, roles, planned, complete, files), pinned)
    for run in planned.values():
        if store.state(run.run_id) is not RunState.complete:
            for extra in run.spec.extras:
                extra.require(run.spec.id)
            if run.spec.uses_model and loaded.params.compute.device_map == "auto":
                LARGE.require("compute.device_map auto")
    return list(planned.values())


def _pinned_runs(store: RunStore, pins: Mapping[Stage, str], roles: Sequence[ModelRole]) -> dict[Place, Run]:
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


def _plan_role(
    specs: Sequence[StageSpec], role: ModelRole, files: InputFiles, pinned: Mapping[Place, Run]
) -> dict[Place, PlannedRun]:
    """Plan the stages of one role, which stand in the order of their needs."""
    planned: dict[Place, PlannedRun] = {}
    for spec in specs:
        upstream: dict[str, str] = {need: planned[need, role].run_id for need in spec.needs}
        planned[spec.id, role] = _pinned(_plan_stage(spec, role, upstream, files), pinned)
    return planned


def _plan_stage(spec: StageSpec, role: ModelRole, upstream: Mapping[str, str], files: InputFiles) -> PlannedRun:
    everything = files.loaded.params.sections()
    config: dict[str, Any] = {"role": str(role)}
    sections: dict[str, Any] = {"role": str(role)}
    if spec.uses_model:
        model = files.model(role)
        _check_feasible(spec, files.loaded.params, read_object(model.directory / CONFIG, f"models.{role}"))
        sections["model"] = model.identity()
        config["models"] = {str(role): everything["models"][role]}
    corpora = {str(role): files.corpus(role) for role in spec.data}
    if corpora:
        config["data"] = {name: everything["data"][name] for name in corpora}
        sections["data"] = {name: corpus.identity() for name, corpus in corpora.items()}
    run = _from_inputs(spec, (role,), files, config=config, sections=sections, upstream=upstream)
    return replace(
        run,
        data={name: _origin(corpus) for name, corpus in corpora.items()},
        model_bytes=files.model(role).weights_bytes if spec.uses_model else 0,
    )


def _origin(corpus: data.Corpus) -> dict[str, Any]:
    return {"source": corpus.source, "revision": corpus.revision, "split": corpus.split}


def _check_feasible(spec: StageSpec, params: Params, facts: Mapping[str, Any]) -> None:
    if "windows.seq_len" in spec.reads:
        judge_windows(params, facts)
    if "events.target_rates" in spec.reads:
        judge_layers(facts)
        judge_rates(params, facts)


def _complete_roles(
    spec: StageSpec, roles: Sequence[ModelRole], files: InputFiles, store: RunStore
) -> dict[Place, PlannedRun]:
    """Return the runs of roles that were not asked for, where everything is there that a joining stage needs of them."""
    needs = [each for each in upstream_closure(tuple(map(spec_of, spec.needs))) if not each.joins_roles]
    complete: dict[Place, PlannedRun] = {}
    for role in ModelRole:
        if role in roles or role not in files.loaded.params.models:
            continue
        try:
            planned = _plan_role(needs, role, files, {})
        except CritnbError:
            continue  # its model is not on this machine, so it cannot have run here
        if all(store.state(each.run_id) is RunState.complete for each in planned.values()):
            complete |= planned
    return complete


def _plan_joined(
    spec: StageSpec,
    roles: Sequence[ModelRole],
    planned: Mapping[Place, PlannedRun],
    complete: Mapping[Place, PlannedRun],
    files: InputFiles,
) -> PlannedRun:
    """Plan a stage over ``roles``, whose runs are among the ``planned``, and over those of the ``complete`` runs."""
    others = {role for _, role in complete}
    joined = tuple(role for role in ModelRole if role in roles or role in others)
    found = {**complete, **planned}
    upstream: dict[str, str] = {}
    for need in map(spec_of, spec.needs):
        if need.joins_roles:
            upstream[need.id] = found[need.id, None].run_id
        else:
            upstream |= {upstream_key(need.id, role): found[need.id, role].run_id for role in joined}
    names = {"roles": list(map(str, joined))}
    return _from_inputs(spec, joined, files, config=names, sections=names, upstream=upstream)


def _from_inputs(
    spec: StageSpec,
    roles: tuple[ModelRole, ...],
    files: InputFiles,
    *,
    config: Mapping[str, Any],
    sections: Mapping[str, Any],
    upstream: Mapping[str, str],
) -> PlannedRun:
    params = project(files.loaded.params.sections(), spec.reads)
    constants, sources = files.code(spec)
    inputs = hash_inputs(
        stage=spec.id,
        sections={"params": params, "constants": constants, **sections},
        upstream=upstream,
        notebook=files.notebook(spec),
        sources=sources,
    )
    return PlannedRun(spec, roles, inputs.run_id(), {**params, **config}, inputs)


def _pinned(fresh: PlannedRun, pinned: Mapping[Place, Run]) -> PlannedRun:
    """Return the pinned run in the fresh one's place, if there is one; raises DependencyError for one of other inputs."""
    run = pinned.get((fresh.spec.id, None if fresh.spec.joins_roles else fresh.roles[0]))
    if run is None:
        return fresh
    ours, theirs = fresh.inputs.sections, run.inputs.sections
    for key in sorted({*ours, *theirs}):
        if ours.get(key) != theirs.get(key):
            raise DependencyError(
                f"--use {fresh.spec.id}={run.run_id}: that run was made from another {_difference(key, ours, theirs)}\n"
                "use the params that it was made from, or leave out --use"
            )
    return replace(fresh, run_id=run.run_id, inputs=run.inputs, pinned=True)


def _difference(key: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    mine, other = ours.get(key), theirs.get(key)
    if key == "params" and isinstance(mine, Mapping) and isinstance(other, Mapping):
        differing = [name for name in sorted({*mine, *other}) if mine.get(name) != other.get(name)]
        return f"params section {', '.join(differing)}"
    return key
