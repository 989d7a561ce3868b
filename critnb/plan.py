"""From params to runs: which run a stage's result has, whether it exists already, and why it would be made.

A run's id follows from its inputs alone, so the whole chain is known before anything is computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from critnb import questions, sources
from critnb.canon import CANON, PACK_ROOT, DatasetRole, ModelRole, Stage
from critnb.declared import project
from critnb.errors import DependencyError, ParamsError
from critnb.params import Loaded
from critnb.runs import HashInputs, Run, RunState, RunStore, explain, hash_inputs, notebook_source, package_sources
from critnb.stages import StageSpec, spec_of, upstream_closure

# every stage's numbers pass through these
_EVERY_STAGE = ("session",)
_CONSTANT = re.compile(r"CONST\.([A-Z][A-Z0-9_]*)")


@dataclass(frozen=True)
class PlannedRun:
    """The run that a stage would have under given params: its id and everything its hash covers."""

    spec: StageSpec
    role: ModelRole
    run_id: str
    config: Mapping[str, Any]
    inputs: HashInputs
    pinned: bool = False

    def reason(self, store: RunStore) -> str:
        """Say whether the run exists, or why it would be made: what changed since the stage's latest run."""
        state = store.state(self.run_id)
        if state is RunState.complete:
            return "pinned" if self.pinned else "complete"
        if state is not RunState.absent:
            return f"{state}: continue it with --allow-resume"
        earlier = [run for run in store.runs(self.spec.id) if run.record.hash_inputs]
        same_role = [run for run in earlier if _recorded(run).sections.get("role") == str(self.role)]
        if not same_role:
            return "never ran"
        return "changed: " + "; ".join(explain(_recorded(same_role[-1]), self.inputs)[:3])


def _recorded(run: Run) -> HashInputs:
    found = run.record.hash_inputs
    assert found is not None  # a complete record has them, the schema demands it
    return found


def stage_sources(spec: StageSpec) -> dict[str, str]:
    """Return the hashes of the source files that a stage's numbers rest on."""
    return package_sources([*spec.code, *_EVERY_STAGE])


def stage_constants(spec: StageSpec) -> dict[str, Any]:
    """Return the registry's constants that a stage's sources name, by name: numbers of the code that stand elsewhere."""
    texts = [(PACK_ROOT / path).read_text(encoding="utf-8") for path in stage_sources(spec)]
    names = {name for text in texts for name in _CONSTANT.findall(text)}
    return {name: getattr(CANON.CONST, name) for name in sorted(names)}


class Planner:
    """Plans the runs of one model role."""

    def __init__(
        self, loaded: Loaded, role: ModelRole, store: RunStore, pins: Mapping[Stage, str] | None = None
    ) -> None:
        self._loaded = loaded
        self._role = role
        self._store = store
        self._planned: dict[Stage, PlannedRun] = {}
        self._pins = _with_their_upstream(store, pins or {})

    def plan(self, stages: Iterable[StageSpec]) -> list[PlannedRun]:
        """Return the planned runs of ``stages`` and of everything they need, upstream first."""
        return [self._plan_stage(spec) for spec in upstream_closure(tuple(stages))]

    def _plan_stage(self, spec: StageSpec) -> PlannedRun:
        if spec.id not in self._planned:
            fresh = self._from_inputs(spec)
            pin = self._pins.get(spec.id)
            self._planned[spec.id] = fresh if pin is None else self._pinned(fresh, self._store.open(pin))
        return self._planned[spec.id]

    def _from_inputs(self, spec: StageSpec) -> PlannedRun:
        upstream = {need: self._plan_stage(spec_of(need)).run_id for need in spec.needs}
        everything = self._loaded.params.sections()
        config: dict[str, Any] = {"role": str(self._role), **project(everything, spec.reads)}
        sections: dict[str, Any] = {
            "params": project(everything, spec.reads),
            "role": str(self._role),
            "constants": stage_constants(spec),
        }
        if spec.uses_model:
            sections["model"] = self._model.identity()
            config["models"] = {str(self._role): everything["models"][self._role]}
        if spec.data:
            config["data"] = {str(role): everything["data"][role] for role in spec.data}
            sections["data"] = {str(role): self._corpus(role).identity() for role in spec.data}
        inputs = hash_inputs(
            stage=spec.id,
            sections=sections,
            upstream=upstream,
            notebook=notebook_source(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec.notebook),
            sources=stage_sources(spec),
        )
        return PlannedRun(spec, self._role, inputs.run_id(), config, inputs)

    def _pinned(self, fresh: PlannedRun, run: Run) -> PlannedRun:
        ours, theirs = fresh.inputs.sections, _recorded(run).sections
        for key in sorted({*ours, *theirs}):
            if ours.get(key) != theirs.get(key):
                raise DependencyError(
                    f"--use {fresh.spec.id}={run.run_id}: that run was made from another {_difference(key, ours, theirs)}\n"
                    "use the params that it was made from, or leave out --use"
                )
        return PlannedRun(fresh.spec, self._role, run.run_id, fresh.config, _recorded(run), pinned=True)

    @cached_property
    def _model(self) -> sources.ModelFiles:
        return sources.model_files(self._loaded, self._role)

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


def _with_their_upstream(store: RunStore, pins: Mapping[Stage, str]) -> dict[Stage, str]:
    """A pinned run brings the runs that it was made from; two pins that disagree on one are a DependencyError."""
    found: dict[Stage, str] = {}
    for stage, name in pins.items():
        run = store.open(name)
        if run.stage != stage:
            raise ParamsError(f"--use {stage}={name}: that is a run of stage {run.stage}")
        for upstream, upstream_name in {stage: name, **_chain(store, run)}.items():
            if found.setdefault(upstream, upstream_name) != upstream_name:
                raise DependencyError(
                    f"--use: the pinned runs rest on different runs of {upstream}; pin only one of them"
                )
    return found


def _chain(store: RunStore, run: Run) -> dict[Stage, str]:
    chain: dict[Stage, str] = {}
    for dependency in run.record.dependencies:
        chain[Stage(dependency.stage_id)] = dependency.run_id
        chain.update(_chain(store, store.open(dependency.run_id)))
    return chain
