"""From a sweep to the runs of each of its entries; entries that differ in what comes late share the runs of what comes early."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from critnb.canon import ModelRole, Stage
from critnb.contract import StageSpec
from critnb.errors import CritnbError
from critnb.params.sweep import Entry
from critnb.pipeline.input_files import KnownInputs
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun, plan_runs
from critnb.runs import Run, RunState, RunStore


@dataclass(frozen=True)
class PlannedEntry:
    """The runs of an entry under its own options; none of them, and an ``error``, where its model or data cannot be used."""

    entry: Entry
    options: RunOptions
    runs: tuple[PlannedRun, ...] = ()
    error: CritnbError | None = None

    def of(self, stage: Stage) -> list[str]:
        """Return the ids of its runs of a stage, one a role."""
        return [run.run_id for run in self.runs if run.spec.id == stage]

    def finished(self, stage: Stage, store: RunStore) -> list[Run]:
        """Return its runs of a stage, none where one of them is not complete; raises IntegrityError for a broken record."""
        ids = self.of(stage)
        is_complete = bool(ids) and all(store.state(run_id) is RunState.complete for run_id in ids)
        return [store.open(run_id) for run_id in ids] if is_complete else []

    def is_complete(self, store: RunStore) -> bool:
        """Tell whether all its runs are complete."""
        return self.error is None and all(store.state(run.run_id) is RunState.complete for run in self.runs)


def plan_entries(
    entries: Iterable[Entry], stages: Sequence[StageSpec], store: RunStore, options: RunOptions, *, every_role: bool
) -> list[PlannedEntry]:
    """Plan the runs of each entry for its own role, that of ``options``, the first of its params, or all for ``every_role``."""
    known = KnownInputs()
    return [_planned(entry, stages, store, options, known, every_role=every_role) for entry in entries]


def _planned(
    entry: Entry,
    stages: Sequence[StageSpec],
    store: RunStore,
    options: RunOptions,
    known: KnownInputs,
    *,
    every_role: bool,
) -> PlannedEntry:
    own = replace(options, role=entry.role or options.role).with_params(entry.loaded)
    roles: list[ModelRole] = own.roles(entry.loaded.params, every=every_role)
    try:
        runs = plan_runs(stages, entry.loaded, roles, store, join_complete=own.role is None, known=known)
    except CritnbError as error:
        return PlannedEntry(entry, own, error=error)
    return PlannedEntry(entry, own, tuple(runs))
