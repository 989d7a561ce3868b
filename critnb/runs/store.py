"""A folder of runs: what is there and in which state, which runs others were made from, and how a new one is started."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from critnb.canon import CANON, WORK_DIR, Stage
from critnb.errors import (
    CritnbError,
    DependencyError,
    IntegrityError,
    ParamsError,
    RunExistsError,
    RunHeldError,
    StorageError,
)
from critnb.runs.checkpoints import sweep_checkpoints
from critnb.runs.events import EventType, repair_log
from critnb.runs.files import storage, sync_folder
from critnb.runs.identity import stage_of
from critnb.runs.locks import KERNEL_LOCK, LOCK_FILES, RUNNER_LOCK, STORE_LOCK, Held, Lock, exclusively, holder
from critnb.runs.partial import PartialRun
from critnb.runs.record import RunRecord, read_record, write_record
from critnb.runs.run import Run
from critnb.system.paths import absolute
from critnb.system.terminal import plain

_LOG = logging.getLogger(__name__)
_KEPT_ON_RESUME = frozenset({CANON.RUN_SUBDIR.CHECKPOINTS, CANON.RUN_SUBDIR.LOGS, *LOCK_FILES})


class RunState(StrEnum):
    absent = "absent"
    partial = "partial"
    held = "held"
    complete = "complete"


@dataclass(frozen=True)
class Entry:
    """One run of a store, for listings; ``record`` is None where it is broken or cannot be read now."""

    run_id: str
    path: Path
    state: RunState
    record: RunRecord | None


@dataclass(frozen=True)
class RunStore:
    """The runs below one folder, which is made when the first run is."""

    root: Path

    def require_folder(self) -> None:
        """Raise DependencyError where the folder is not there."""
        if not self.root.is_dir():
            raise DependencyError(f"{plain(self.root)}: no such folder; run a stage first or name another --runs-dir")

    def path(self, run_id: str) -> Path:
        """Return the path of the complete run; raises DependencyError for text that is no run id."""
        stage_of(run_id)
        return self.root / run_id

    def partial_path(self, run_id: str) -> Path:
        """Return the path of the run while it is made; raises DependencyError for text that is no run id."""
        stage_of(run_id)
        return self.root / f"{run_id}{CANON.PATH.PARTIAL_SUFFIX}"

    def state(self, run_id: str) -> RunState:
        """Return whether the run is absent, partial, held by a living process, or complete; raises DependencyError."""
        if self.path(run_id).is_dir():
            return RunState.complete
        partial = self.partial_path(run_id)
        if not partial.is_dir():
            return RunState.absent
        return RunState.partial if holder(partial) is None else RunState.held

    def settled_state(self, run_id: str) -> RunState:
        """Return the state while no run of the folder is begun, published or removed; raises as ``exclusively``."""
        with exclusively(self.root / STORE_LOCK):
            return self.state(run_id)

    def open(self, run_id: str) -> Run:
        """Return a complete run; raises DependencyError where it is not there, IntegrityError for a broken record."""
        state = self.state(run_id)
        if state is not RunState.complete:
            raise DependencyError(f"{run_id} in {self.root} is {state}, not complete; run its stage first")
        return Run.open(self.path(run_id))

    def ids(self, stage: Stage | None = None) -> list[str]:
        """Return the ids of all runs in the folder, partial ones too, sorted."""
        folders = [path for path in self.root.iterdir() if path.is_dir()] if self.root.is_dir() else []
        names = {path.name.removesuffix(CANON.PATH.PARTIAL_SUFFIX) for path in folders}
        return sorted(name for name in names if _is_run_id(name) and stage in (None, stage_of(name)))

    def entries(self, stage: Stage | None = None) -> list[Entry]:
        """Return all runs with state and record, sorted by id."""
        return [self._entry(run_id) for run_id in self.ids(stage)]

    def runs(self, stage: Stage | None = None) -> list[Run]:
        """Return the complete runs, oldest first.

        A run with a broken record is left out, as is one whose record cannot be read now, of which a warning is logged;
        ``entries`` lists both.
        """
        return self._by_age(stage, strict=False)

    def latest(self, stage: Stage) -> Run | None:
        """Return the stage's newest complete run, or None; raises StorageError for a record that cannot be read now.

        That run may be the newest one. A run with a broken record is left out.
        """
        return next(reversed(self._by_age(stage, strict=True)), None)

    def create(self, run_id: str, *, allow_resume: bool = False) -> PartialRun:
        """Start a run, or with ``allow_resume`` take over a partial one that no living process holds.

        A run that is taken over keeps its checkpoints and its log; everything else is made again. Raises RunExistsError where it is
        complete or partial without leave to resume, RunHeldError where it is held; StorageError where the folder cannot be written;
        DependencyError for text that is no run id.
        """
        final, partial = self.path(run_id), self.partial_path(run_id)
        with storage(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            with exclusively(self.root / STORE_LOCK):
                if final.exists():
                    raise RunExistsError(f"{final} is complete and never written again; see `runner.py show {run_id}`")
                resumed = not _make(partial)
                lock = _claim(partial, resumed=resumed, allow_resume=allow_resume)
        return _started(PartialRun(partial, lock, created=True), lock, resumed=resumed)

    def _by_age(self, stage: Stage | None, *, strict: bool) -> list[Run]:
        runs = [run for run_id in self.ids(stage) if (run := self._complete(run_id, strict=strict)) is not None]
        return sorted(runs, key=lambda run: (run.record.created_utc, run.run_id))

    def _complete(self, run_id: str, *, strict: bool) -> Run | None:
        try:
            return self.open(run_id)
        except StorageError as error:
            if strict:
                raise
            _LOG.warning("%s is left out: %s", run_id, plain(error))
        except (DependencyError, IntegrityError):
            pass
        return None

    def _entry(self, run_id: str) -> Entry:
        state = self.state(run_id)
        path = self.path(run_id) if state is RunState.complete else self.partial_path(run_id)
        try:
            return Entry(run_id, path, state, read_record(path)[0])
        except (IntegrityError, StorageError):
            return Entry(run_id, path, state, None)


@dataclass(frozen=True)
class Ancestors:
    """The runs of a store that given runs were made from, directly or through others.

    runs: each once, nearest first. missing: run id -> why it cannot be opened; the runs upstream of such a run are known only
    where another run names them too.
    """

    runs: tuple[Run, ...]
    missing: dict[str, CritnbError]

    def every(self) -> tuple[Run, ...]:
        """Return the runs; raises DependencyError or IntegrityError where one of them is gone or broken."""
        for error in self.missing.values():
            raise error
        return self.runs


def ancestors(store: RunStore, runs: Sequence[Run]) -> Ancestors:
    """Return every run upstream of the given ones, without these; one that is gone or broken is named as missing."""
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


def model_ids(store: RunStore, run: Run) -> tuple[str, ...]:
    """Return the ids of the models that a run is about: its own, or those of the runs that it was made from, sorted."""
    known = [run] if run.record.model else ancestors(store, [run]).runs
    return tuple(sorted({str(each.record.model["id"]) for each in known if each.record.model}))


def runs_folder(given: str | Path | None = None) -> Path:
    """Return the folder of runs that a user means, as an absolute path: the one given, else ``runs/``.

    ``runs/`` is in the pack, or in the working folder where the package is installed. Raises ParamsError for a path that
    no folder can have, and for a run or a place in one, into which nothing is ever written.
    """
    folder = absolute(WORK_DIR / CANON.PATH.RUNS_DIR if given is None else given, what="--runs-dir", any_bytes=True)
    if (run := run_around(folder)) is not None:
        raise ParamsError(
            f"--runs-dir {plain(folder, 200)}: lies in a run; name the folder that holds it: {plain(run.parent, 200)}"
        )
    return folder


def run_around(path: Path) -> Path | None:
    """Return the folder of the run that a path is or lies in, None for any other."""
    return next((each for each in (path, *path.parents) if (each / CANON.OUTPUT.RUN_RECORD_JSON).exists()), None)


def locate_run(text: str, store: RunStore) -> tuple[RunStore, str]:
    """Return (store, run id) of what a user names: an id in ``store``, or the path of a run in any folder.

    Raises ParamsError for a path that no folder can have.
    """
    path = Path(text)
    return (store if len(path.parts) < 2 else RunStore(absolute(path.parent, what="RUN", any_bytes=True))), path.name


def _is_run_id(name: str) -> bool:
    try:
        stage_of(name)
    except DependencyError:
        return False
    return True


def _make(partial: Path) -> bool:
    try:
        partial.mkdir()
    except FileExistsError:
        return False
    sync_folder(partial.parent)
    return True


def _claim(partial: Path, *, resumed: bool, allow_resume: bool) -> Lock:
    """Take the runner's lock of a partial run; files of an abandoned one are removed first, under its kernel's lock."""
    if resumed and (by := holder(partial)) is not None:
        raise RunHeldError(f"{partial} is being made by {by}; {by.advice}")
    if resumed and not allow_resume:
        raise RunExistsError(f"{partial} is incomplete; pass --allow-resume to go on with it, or delete it")
    runner, kernel = Lock(partial / RUNNER_LOCK), Lock(partial / KERNEL_LOCK)
    if not (kernel.acquire() and runner.acquire()):
        kernel.release()
        now = holder(partial) or Held(runner.path, None)
        raise RunHeldError(f"{partial} is being made by {now}; {now.advice}")
    try:
        _clear(partial)
    except BaseException:
        runner.release()
        raise
    finally:
        kernel.release()
    return runner


def _clear(partial: Path) -> None:
    for entry in partial.iterdir():
        if entry.name in _KEPT_ON_RESUME and not entry.is_symlink():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    sweep_checkpoints(partial)
    repair_log(partial)


def _started(run: PartialRun, lock: Lock, *, resumed: bool) -> PartialRun:
    try:
        with storage(run.path):
            write_record(run.path, RunRecord.started(run.run_id))
        run.log(EventType.start, resumed=resumed)
    except BaseException:
        lock.release()
        raise
    return run
