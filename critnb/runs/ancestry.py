"""The runs that a run was made from, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from critnb.errors import CritnbError
from critnb.runs.run import Run
from critnb.runs.store import RunStore


@dataclass(frozen=True)
class Ancestors:
    """What a store holds of the runs that others were made from.

    runs: each once, nearest first. missing: run id -> why it cannot be opened; what lies above such a run is known only
    where another run names it too.
    """

    runs: tuple[Run, ...]
    missing: dict[str, CritnbError]

    def every(self) -> tuple[Run, ...]:
        """Return the runs; raises DependencyError or IntegrityError where one of them is gone or broken."""
        for error in self.missing.values():
            raise error
        return self.runs


def ancestors(store: RunStore, runs: Sequence[Run]) -> Ancestors:
    """Return every run upstream of the given ones, themselves left out; a run that is gone or broken ends nothing."""
    found: dict[str, Run] = {}
    missing: dict[str, CritnbError] = {}
    given = {run.run_id for run in runs}
    waiting = list(runs)
    while waiting:
        for dependency in waiting.pop(0).record.dependencies:
            if (run_id := dependency.run_id) in given or run_id in found or run_id in missing:
                continue
            try:
                found[run_id] = store.open(run_id)
            except CritnbError as error:
                missing[run_id] = error
            else:
                waiting.append(found[run_id])
    return Ancestors(tuple(found.values()), missing)
