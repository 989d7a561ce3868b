"""From params to runs: which run a stage's result has, whether it exists already, and why it would be made.

A run's id follows from its inputs alone, so the whole chain is known before anything is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from critnb import data as sources
from critnb.canon import CANON, PACK_ROOT, DatasetRole, ModelRole, Stage
from critnb.contract import StageSpec, spec_of, upstream_closure
from critnb.contract.code import stage_constants, stage_files
from critnb.contract.declared import project
from critnb.data import questions
from critnb.data.checkpoint import CONFIG, read_object
from critnb.errors import CritnbError, DependencyError
from critnb.params import Loaded
from critnb.pipeline.feasible import judge_rates, judge_windows
from critnb.pipeline.pinned_runs import pinned_runs
from critnb.runs import (
    HashInputs,
    Run,
    RunState,
    RunStore,
    explain,
    hash_inputs,
    notebook_source,
    upstream_key,
)


@dataclass(frozen=True)
class PlannedRun:
    """The run that a stage would have under given params: its id and everything its hash covers.

    ``roles`` holds one model role, or every role that a stage joins.
    """

    spec: StageSpec
    roles: tuple[ModelRole, ...]
    run_id: str
    config: Mapping[str, Any]
    inputs: HashInputs
    pinned: bool = False

    @property
    def who(self) -> str:
        """The roles as one word."""
        return self.inputs.who

    def reason(self, store: RunStore) -> str:
        """Say whether the run exists, or why it would be made: what changed since the stage's latest run."""
        state = store.state(self.run_id)
        if state is RunState.complete:
            return "pinned" if self.pinned else "complete"
        if state is not RunState.absent:
            return f"{state}: continue it with --allow-resume"
        earlier = [run for run in store.runs(self.spec.id) if run.record.hash_inputs]
        same_roles = [run for run in earlier if run.roles == self.roles]
        if not same_roles:
            return "never ran"
        return "changed: " + "; ".join(explain(same_roles[-1].inputs, self.inputs)[:3])


class Planner:
    """Plans the runs of one or several model roles."""

    def __init__(
        self,
        loaded: Loaded,
        roles: Sequence[ModelRole],
        store: RunStore,
        pins: Mapping[Stage, str] | None = None,
        *,
        join_complete: bool = False,
    ) -> None:
        """Plan for ``roles``; with ``join_complete``, stages that join roles take in every other role that has run, too."""
        self._loaded = loaded
        self._roles = tuple(roles)
        self._store = store
        self._join_complete = join_complete
        self._planned: dict[tuple[Stage, ModelRole | None], PlannedRun] = {}
        self._models: dict[ModelRole, sources.ModelFiles] = {}
        self._pins = pinned_runs(store, pins or {}, self._roles)

    def plan(self, stages: Iterable[StageSpec]) -> list[PlannedRun]:
        """Return the planned runs of ``stages`` and of everything they need, upstream first, one role after the other."""
        closure = upstream_closure(tuple(stages))
        single = [self._plan_stage(spec, role) for role in self._roles for spec in closure if not spec.joins_roles]
        return [*single, *(self._plan_stage(spec, None) for spec in closure if spec.joins_roles)]

    def _plan_stage(self, spec: StageSpec, role: ModelRole | None) -> PlannedRun:
        if (spec.id, role) not in self._planned:
            fresh = self._joined(spec) if role is None else self._of_role(spec, role)
            pin = self._pins.get((spec.id, role))
            self._planned[spec.id, role] = fresh if pin is None else self._pinned(fresh, pin)
        return self._planned[spec.id, role]

    def _of_role(self, spec: StageSpec, role: ModelRole) -> PlannedRun:
        everything = self._loaded.params.sections()
        config: dict[str, Any] = {"role": str(role)}
        sections: dict[str, Any] = {"role": str(role)}
        if spec.uses_model:
            model = self._model(role)
            self._check_feasible(spec, read_object(model.directory / CONFIG, f"models.{role}"))
            sections["model"] = model.identity()
            config["models"] = {str(role): everything["models"][role]}
        if spec.data:
            config["data"] = {str(data): everything["data"][data] for data in spec.data}
            sections["data"] = {str(data): self._corpus(data).identity() for data in spec.data}
        upstream: dict[str, str] = {need: self._plan_stage(spec_of(need), role).run_id for need in spec.needs}
        return self._from_inputs(spec, (role,), config=config, sections=sections, upstream=upstream)

    def _check_feasible(self, spec: StageSpec, facts: Mapping[str, Any]) -> None:
        if "windows.seq_len" in spec.reads:
            judge_windows(self._loaded.params, facts)
        if "events.target_rates" in spec.reads:
            judge_rates(self._loaded.params, facts)

    def _joined(self, spec: StageSpec) -> PlannedRun:
        needs = [spec_of(need) for need in spec.needs]
        roles = [role for role in ModelRole if role in self._roles or self._has_run(needs, role)]
        upstream: dict[str, str] = {}
        for need in needs:
            if need.joins_roles:
                upstream[need.id] = self._plan_stage(need, None).run_id
            else:
                upstream |= {upstream_key(need.id, role): self._plan_stage(need, role).run_id for role in roles}
        joined = list(map(str, roles))
        return self._from_inputs(
            spec, tuple(roles), config={"roles": joined}, sections={"roles": joined}, upstream=upstream
        )

    def _has_run(self, needs: Sequence[StageSpec], role: ModelRole) -> bool:
        """Tell whether everything is there that a stage needs of a role which was not asked for."""
        if not self._join_complete or role not in self._loaded.params.models:
            return False
        try:
            planned = [self._plan_stage(need, role) for need in upstream_closure(tuple(needs)) if not need.joins_roles]
        except CritnbError:
            return False  # its model is not on this machine, so it cannot have run here
        return all(self._store.state(each.run_id) is RunState.complete for each in planned)

    def _from_inputs(
        self,
        spec: StageSpec,
        roles: tuple[ModelRole, ...],
        *,
        config: Mapping[str, Any],
        sections: Mapping[str, Any],
        upstream: Mapping[str, str],
    ) -> PlannedRun:
        params = project(self._loaded.params.sections(), spec.reads)
        inputs = hash_inputs(
            stage=spec.id,
            sections={"params": params, "constants": stage_constants(spec), **sections},
            upstream=upstream,
            notebook=notebook_source(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec.notebook),
            sources=stage_files(spec),
        )
        return PlannedRun(spec, roles, inputs.run_id(), {**params, **config}, inputs)

    def _pinned(self, fresh: PlannedRun, run: Run) -> PlannedRun:
        ours, theirs = fresh.inputs.sections, run.inputs.sections
        for key in sorted({*ours, *theirs}):
            if ours.get(key) != theirs.get(key):
                raise DependencyError(
                    f"--use {fresh.spec.id}={run.run_id}: that run was made from another {_difference(key, ours, theirs)}\n"
                    "use the params that it was made from, or leave out --use"
                )
        return PlannedRun(fresh.spec, fresh.roles, run.run_id, fresh.config, run.inputs, pinned=True)

    def _model(self, role: ModelRole) -> sources.ModelFiles:
        if role not in self._models:
            self._models[role] = sources.model_files(self._loaded, role)
        return self._models[role]

    @cached_property
    def _corpora(self) -> dict[DatasetRole, sources.Corpus]:
        return {}

    def _corpus(self, role: DatasetRole) -> sources.Corpus:
        if role not in self._corpora:
            is_text = role is not DatasetRole.ARC_MCQ
            self._corpora[role] = sources.corpus(self._loaded, role) if is_text else questions.read(self._loaded).corpus
        return self._corpora[role]

    def data_facts(self, planned: PlannedRun) -> dict[str, dict[str, Any]]:
        """Return what the record says about where a planned run's corpora come from."""
        facts = {}
        for role in planned.spec.data:
            corpus = self._corpus(role)
            facts[str(role)] = {"source": corpus.source, "revision": corpus.revision, "split": corpus.split}
        return facts


def _difference(key: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    mine, other = ours.get(key), theirs.get(key)
    if key == "params" and isinstance(mine, Mapping) and isinstance(other, Mapping):
        differing = [name for name in sorted({*mine, *other}) if mine.get(name) != other.get(name)]
        return f"params section {', '.join(differing)}"
    return key
