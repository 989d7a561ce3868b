"""Which runs of a folder nobody needs any more, and removing them without ever leaving one that looks whole.

A complete run is *superseded* where a newer one of its stage has the same roles, params, model and data, so that only the code
or what lies upstream has changed; *orphaned* where a run that it was made from is gone; *outdated* where the asker says that its
code has changed. A partial run is *abandoned* where no living process holds it. What a kept run was made from is kept.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from critnb.runs.encoding import json_bytes
from critnb.runs.files import storage
from critnb.runs.locks import STORE_LOCK, exclusively
from critnb.runs.publish import vanish
from critnb.runs.run import Run
from critnb.runs.store import RunState, RunStore

# what the code decides; a run whose other inputs are those of a newer one has nothing of its own
_OF_CODE = frozenset({"constants"})
# a run that is held is made again, under the same id
_THERE = (RunState.complete, RunState.held)


class Needless(StrEnum):
    superseded = "superseded"
    orphaned = "orphaned"
    outdated = "outdated"
    abandoned = "abandoned"


@dataclass(frozen=True)
class Prunable:
    """A run that may be removed: where it lies, and why; ``because`` names the newer run, the one that is gone, or a file."""

    run_id: str
    path: Path
    why: Needless
    because: str = ""

    @property
    def reason(self) -> str:
        """Why it may be removed, in words."""
        match self.why:
            case Needless.superseded:
                return f"superseded by {self.because}"
            case Needless.orphaned:
                return f"orphaned: made from {self.because}, which is gone"
            case Needless.outdated:
                return f"outdated: {self.because} has changed"
        return "abandoned: incomplete, and nobody is at work on it"


def prunable(store: RunStore, outdated: Mapping[str, str] | None = None) -> list[Prunable]:
    """Return the runs that may be removed, those first that others were made from last.

    ``outdated``: run id -> the file that has changed, of runs that may go as well. A run whose record cannot be read is left alone:
    nothing says what it is.
    """
    runs = {run.run_id: run for run in store.runs()}
    orphans = _orphans(runs, there={each for each in store.ids() if store.state(each) in _THERE})
    superseded = _superseded([run for run in runs.values() if run.run_id not in orphans])
    old = {run_id: path for run_id, path in (outdated or {}).items() if run_id not in {**orphans, **superseded}}
    kept = {run_id for run_id in runs if run_id not in {**orphans, **superseded, **old}}
    kept |= _upstream(kept, runs)
    # a partial run that can be continued needs what it is made from no less
    found = [
        Prunable(run_id, runs[run_id].path, why, because)
        for why, reasons in (
            *((Needless.superseded, superseded), (Needless.orphaned, orphans)),
            (Needless.outdated, old),
        )
        for run_id, because in reasons.items()
        if run_id not in kept
    ]
    abandoned = [
        Prunable(run_id, store.partial_path(run_id), Needless.abandoned)
        for run_id in store.ids()
        if store.state(run_id) is RunState.partial
    ]
    return [*abandoned, *_downstream_first(found, runs)]


def remove(store: RunStore, doomed: Iterable[Prunable]) -> None:
    """Remove runs in the order given; each is renamed first, so that one whose removal is cut off is no run any more.

    A partial run that has meanwhile been taken over is left alone. Raises StorageError where the folder cannot be written.
    """
    with storage(store.root), exclusively(store.root / STORE_LOCK):
        for each in doomed:
            if each.why is Needless.abandoned and store.state(each.run_id) is not RunState.partial:
                continue
            vanish(each.path)


def _orphans(runs: dict[str, Run], there: Container[str]) -> dict[str, str]:
    """Return the runs above which one is gone, directly or further up, each with the run that is.

    One that is ``there`` but not among the ``runs``, since its record cannot be read now or it is being made again, is not gone.
    """
    orphans: dict[str, str] = {}

    def gone(run_id: str) -> str:
        if run_id not in runs:
            return "" if run_id in there else run_id
        return orphans.get(run_id, "")

    while True:
        more = {
            run_id: missing
            for run_id, run in runs.items()
            if run_id not in orphans
            for missing in [next(filter(None, (gone(each.run_id) for each in run.record.dependencies)), "")]
            if missing
        }
        if not more:
            return orphans
        orphans |= more


def _superseded(runs: Sequence[Run]) -> dict[str, str]:
    """Return the runs of which there is a newer one that differs in code and upstream alone, with the newest; oldest first."""
    newest = {_meaning(run): run.run_id for run in runs}
    return {run.run_id: newest[_meaning(run)] for run in runs if newest[_meaning(run)] != run.run_id}


def _meaning(run: Run) -> tuple[str, bytes]:
    inputs = run.record.hash_inputs
    sections = {} if inputs is None else {key: value for key, value in inputs.sections.items() if key not in _OF_CODE}
    # a run without inputs is like no other
    return str(run.stage), json_bytes(sections) if sections else run.run_id.encode()


def _upstream(wanted: Iterable[str], runs: dict[str, Run]) -> set[str]:
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        for dependency in runs[waiting.pop()].record.dependencies:
            if dependency.run_id in runs and dependency.run_id not in found:
                found.add(dependency.run_id)
                waiting.append(dependency.run_id)
    return found


def _downstream_first(found: Sequence[Prunable], runs: dict[str, Run]) -> list[Prunable]:
    below = {each.run_id: len(_upstream([each.run_id], runs)) for each in found}
    return sorted(found, key=lambda each: (-below[each.run_id], each.run_id))
