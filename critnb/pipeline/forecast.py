"""How far a whole command is, and how long it will still take, by the records of earlier runs of the same stages."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from critnb.pipeline.plan import PlannedRun
from critnb.pipeline.schedule import needing, time_left
from critnb.pipeline.sharing import needs_of
from critnb.runs import HashInputs, Run, RunStore

# of the earlier runs of a kind, the newest that count
_NEWEST = 5
_SEED = "seed"
_MINUTE, _HOUR = 60, 3600
# what a run's time depends on: its stage, the params but for seeds, and the configs of the models that it rests on
_Kind = tuple[Any, ...]


class Forecast:
    """What is done, at work and left of one command's runs; several threads may tell it at once."""

    def __init__(
        self,
        planned: Sequence[PlannedRun],
        missing: Iterable[str],
        store: RunStore,
        *,
        jobs: int,
        alone: Collection[str] = (),
        ranks: Mapping[str, int] | None = None,
    ) -> None:
        """Take every planned run, those that are there included, the ids of those to be made, and limits as ``side_by_side``."""
        inputs = {run.run_id: run.inputs for run in planned}
        ids = list(missing)
        self._kinds = {run_id: _kind(inputs[run_id], inputs) for run_id in ids}
        self._needs = needs_of(run for run in planned if run.run_id in self._kinds)
        self._seconds = _seconds_of(store.runs(), set(self._kinds.values())) if len(ids) > 1 else {}
        self._limits: dict[str, Any] = {"jobs": jobs, "alone": alone, "ranks": ranks}
        self._at_work: dict[str, float] = {}
        self._over: set[str] = set()
        self._lock = threading.Lock()

    def begins(self, run_id: str) -> None:
        """Take note that a run is begun."""
        with self._lock:
            self._at_work[run_id] = time.monotonic()

    def ends(self, run_id: str, seconds: float | None) -> None:
        """Take note that a run has ended, made in so many seconds; None where it was not made here, or failed."""
        with self._lock:
            self._at_work.pop(run_id, None)
            self._over.add(run_id)
            if seconds is not None:
                self._seconds.setdefault(self._kinds[run_id], []).append(seconds)

    def fails(self, run_id: str) -> None:
        """Take note that a run has failed, so that nothing that needs it will be made."""
        self.ends(run_id, None)
        with self._lock:
            self._over |= needing(self._needs, run_id)

    def words(self) -> str:
        """Return ``stage 3 of 8, about 4 min left``; nothing of a command with one run, no time where nothing tells it."""
        with self._lock:
            total, over, at_work = len(self._needs), len(self._over), len(self._at_work)
            if total < 2 or not at_work:
                return ""
            first, last = min(over + 1, total), min(over + at_work, total)
            which = (
                f"stage {last}" if first == last else f"stages {first} {'and' if last == first + 1 else 'to'} {last}"
            )
            left = self._left()
        return f"{which} of {total}" + ("" if left is None else f", {roughly(left)} left")

    def _left(self) -> float | None:
        now, needs = time.monotonic(), {key: each for key, each in self._needs.items() if key not in self._over}
        seconds = {}
        for run_id in needs:
            if not (known := self._seconds.get(self._kinds[run_id])):
                return None
            begun = self._at_work.get(run_id)
            seconds[run_id] = max(0.0, statistics.median(known[-_NEWEST:]) - (0.0 if begun is None else now - begun))
        return time_left(needs, seconds, at_work=list(self._at_work), **self._limits)


def roughly(seconds: float) -> str:
    """Return a time span as one says it who does not know it exactly."""
    if seconds < _MINUTE:
        return f"about {max(10, 10 * round(seconds / 10))} s" if seconds >= 5 else "a few seconds"
    if seconds < 1.5 * _HOUR:
        return f"about {round(seconds / _MINUTE)} min"
    return f"about {round(2 * seconds / _HOUR) / 2:g} h"


def _seconds_of(runs: Sequence[Run], kinds: Collection[_Kind]) -> dict[_Kind, list[float]]:
    """Return how long the runs of these kinds took, the oldest first."""
    inputs = {run.run_id: run.inputs for run in runs if run.record.hash_inputs is not None}
    stages = {kind[0] for kind in kinds}
    found: dict[_Kind, list[float]] = {}
    for run in runs:
        if run.stage in stages and run.run_id in inputs and (kind := _kind(inputs[run.run_id], inputs)) in kinds:
            found.setdefault(kind, []).append(_seconds(run))
    return found


def _seconds(run: Run) -> float:
    begun, ended = (datetime.fromisoformat(str(each)) for each in (run.record.created_utc, run.record.finished_utc))
    return (ended - begun).total_seconds()


def _kind(inputs: HashInputs, others: Mapping[str, HashInputs]) -> _Kind:
    params = inputs.sections.get("params")
    return inputs.stage, len(inputs.roles), repr(_unseeded(params)), tuple(sorted(_configs(inputs, others)))


def _unseeded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _unseeded(each) for key, each in sorted(value.items()) if not key.endswith(_SEED)}
    return value


def _configs(inputs: HashInputs, others: Mapping[str, HashInputs]) -> set[str]:
    model = inputs.sections.get("model")
    found = {str(model.get("config_sha256"))} if isinstance(model, Mapping) else set()
    for upstream in inputs.upstream.values():
        if upstream in others:
            found |= _configs(others[upstream], others)
    return found
