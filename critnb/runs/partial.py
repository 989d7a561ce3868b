"""A run in the making: held by a lock that dies with its process, every file whole, the record up to date at each step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from critnb.canon import CANON, Stage, Status
from critnb.errors import DependencyError, IntegrityError, RunExistsError
from critnb.runs import checkpoints
from critnb.runs.encoding import csv_bytes, json_bytes, npz_bytes, parquet_writer
from critnb.runs.events import LOG_PATH, EventType, append_event
from critnb.runs.files import HashingSink, atomic_file, inside, storage
from critnb.runs.identity import stage_of
from critnb.runs.locks import KERNEL_LOCK, LOCK_FILES, RECORD_LOCK, STORE_LOCK, Held, Lock, exclusively, holder
from critnb.runs.publish import move, remove, seal
from critnb.runs.record import Artifact, RunRecord, read_record, utc_now, write_record
from critnb.runs.run import Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# how long to wait for a notebook's kernel to detach, which it does before papermill returns
_DETACH_SECONDS = 10.0
_OWN_FIELDS = frozenset(
    {"run_id", "stage_id", "phase_id", "schema_version", "project_id", "pack_version", "stage_status", "created_utc"}
    | {"finished_utc", "error", "timings", "artifact_index"}
)
_OWN_FILES = LOCK_FILES | {CANON.OUTPUT.RUN_RECORD_JSON, LOG_PATH}
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".npz": "application/x-npz",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}
_UNKNOWN_MEDIA_TYPE = "application/octet-stream"


class PartialRun:
    """The runner's hold on a run that it created (``RunStore.create``), or the kernel's on one that it attached to.

    Both may be open at once, in one process or two. Every method that writes raises StorageError for a full or
    read-only disk. A context manager: leaving it releases the lock and marks nothing.
    """

    def __init__(self, path: Path, lock: Lock, *, created: bool) -> None:
        """Take over a lock that is already held; use ``RunStore.create`` or ``attach`` instead."""
        self.path = path
        self.run_id = path.name.removesuffix(CANON.PATH.PARTIAL_SUFFIX)
        self._lock = lock
        self._created = created

    @classmethod
    def attach(cls, path: Path) -> PartialRun:
        """Hold a started run from its notebook's kernel.

        Raises DependencyError where no started partial run lies at the path, RunExistsError where another kernel
        holds it, IntegrityError for a broken record.
        """
        if not path.is_dir() or path.suffix != CANON.PATH.PARTIAL_SUFFIX:
            raise DependencyError(f"{path}: no partial run to attach to; start the stage with runner.py")
        lock = Lock(path / KERNEL_LOCK)
        with storage(path), exclusively(path.parent / STORE_LOCK):
            record, _ = read_record(path)
            if record.stage_status != Status.started:
                raise DependencyError(f"{path}: the run is {record.stage_status}; start it again with --allow-resume")
            if not lock.acquire():
                by = holder(path, locks=[KERNEL_LOCK]) or Held(path / KERNEL_LOCK, None)
                raise RunExistsError(f"{path}: {by} works on it already; {by.advice}")
        return cls(path, lock, created=False)

    @property
    def stage(self) -> Stage:
        """The stage that the run is of."""
        return stage_of(self.run_id)

    @property
    def record(self) -> RunRecord:
        """The record as it stands on disk now; raises IntegrityError where it is broken."""
        return read_record(self.path)[0]

    def write_bytes(self, relative: str, data: bytes, media_type: str | None = None) -> Artifact:
        """Write a file, index it in the record and log it; without a media type, the suffix says it.

        Raises IntegrityError for a path that leaves the run, that the run keeps itself (record, log, checkpoints), that
        is reached through a symbolic link, or that is in the index with other bytes. An unindexed file there is replaced.
        """
        return self.write_stream(relative, lambda sink: sink.write(data), media_type)

    def write_stream(self, relative: str, fill: Callable[[HashingSink], object], media: str | None = None) -> Artifact:
        """Write a file piece by piece, as ``fill`` gives them, and index and log it; raises as ``write_bytes`` and ``fill``."""
        path = inside(self.path, relative)
        with self._changing_record() as record:
            _refuse_own(relative)
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as file:
                sink = HashingSink(file)
                fill(sink)
                written = _written_before(record, relative, sink.sha256)
            if written is not None:
                return written
            kind = media or media_type(relative)
            artifact = Artifact(relative, sink.sha256, sink.size, kind, utc_now())
            write_record(self.path, record.with_artifact(artifact))
        self.log(EventType.artifacts_written, path=relative, sha256=artifact.sha256, bytes=artifact.bytes)
        return artifact

    def write_json(self, relative: str, value: Any) -> Artifact:
        """Write a value as JSON, keys in their order; raises as ``write_bytes``, and DataError for non-JSON and NaN."""
        return self.write_bytes(relative, json_bytes(value))

    def write_npz(self, relative: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Artifact:
        """Write arrays as NPZ, in their order; raises as ``write_bytes``, and DataError for object arrays."""
        return self.write_bytes(relative, npz_bytes(arrays))

    def write_parquet(self, relative: str, frame: pd.DataFrame | Iterable[pd.DataFrame]) -> Artifact:
        """Write a frame, or the rows of several, as Parquet; raises as ``write_bytes``, and DataError for mixed columns."""
        return self.write_stream(relative, parquet_writer(frame))

    def write_csv(self, relative: str, frame: pd.DataFrame) -> Artifact:
        """Write a frame as CSV without its index; raises as ``write_bytes``, and DataError for mixed columns."""
        return self.write_bytes(relative, csv_bytes(frame))

    def load_checkpoint(self, name: str) -> dict[str, np.ndarray[Any, Any]] | None:
        """Return a checkpoint's arrays, or None where there is none or it is damaged."""
        with storage(self.path):
            return checkpoints.load_checkpoint(self.path, name)

    def save_checkpoint(self, name: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Write arrays that outlive a kill or a failure and go when the run is published; raises DataError."""
        with storage(self.path):
            checkpoints.save_checkpoint(self.path, name, arrays)

    def log(self, event_type: str, **payload: Any) -> None:
        """Append one line to the event log; raises DataError for a payload that is no JSON."""
        with storage(self.path):
            append_event(self.path, self.run_id, event_type, payload)

    def update(self, **sections: Any) -> None:
        """Replace whole fields of the record; ``hash_inputs`` brings its ``stage_hash`` along.

        Raises IntegrityError, one line, for unknown fields and those that the run keeps itself (status, times,
        index), and DataError for values beyond JSON. The schema is checked when the run is published.
        """
        if own := sorted(_OWN_FIELDS & set(sections)):
            raise IntegrityError(f"the run itself keeps the record's {', '.join(own)}")
        if (inputs := sections.get("hash_inputs")) is not None:
            sections["stage_hash"] = inputs.stage_hash()
        with self._changing_record() as record:
            write_record(self.path, record.with_sections(sections))

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Add the block's seconds to the record's timings and log them, with whether the block ended well."""
        begun, ended_well = time.perf_counter(), False
        try:
            yield
            ended_well = True
        finally:
            seconds = round(time.perf_counter() - begun, 6)
            with self._changing_record() as record:
                total = round(record.timings.get(step, 0.0) + seconds, 6)
                write_record(self.path, record.with_sections({"timings": {**record.timings, step: total}}))
            self.log(EventType.step, step=step, seconds=seconds, ok=ended_well)

    def fail(self, message: str) -> None:
        """Mark the run failed, with why; it stays partial, with all that it holds."""
        outcome = {"stage_status": Status.failed, "finished_utc": utc_now(), "error": message}
        with self._changing_record() as record:
            write_record(self.path, record.with_sections(outcome))
        self.log(EventType.end, status=Status.failed, message=message)

    def publish(self) -> Run:
        """Check every file against the index, seal the record as complete, and rename the run to its final place.

        Only the run's creator may, and only when no kernel is attached (RunExistsError otherwise). Raises
        IntegrityError for a file that is missing, changed or not in the index, and for a record that lacks
        something; the run then stays as it is.
        """
        with self._alone():
            seal(self.path, self.run_id)
            final = move(self.path)
        self.close()
        return Run.open(final)

    def holds_work(self) -> bool:
        """Whether anything was computed: there is a checkpoint, or an artifact beside config and notebook."""
        setting = {CANON.OUTPUT.CONFIG_RESOLVED_YAML, CANON.RUN_SUBDIR.NOTEBOOK}
        computed = any(each.path.partition("/")[0] not in setting for each in self.record.artifact_index)
        return computed or checkpoints.has_checkpoints(self.path)

    def discard(self) -> None:
        """Remove the partial run with all that it holds; only its creator may, and no kernel may be attached."""
        with self._alone():
            remove(self.path)
        self.close()

    def close(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._created and self.path.is_dir():
            _unname(Lock(self.path / KERNEL_LOCK))
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _changing_record(self) -> Iterator[RunRecord]:
        """Lock the record, which runner and kernel both write, and return it."""
        with storage(self.path), exclusively(self.path / RECORD_LOCK):
            yield self.record

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the run for its creator alone, with no kernel attached, while it ends."""
        if not self._created:
            raise RunExistsError(f"{self.path}: only the process that created the run ends it")
        kernel = Lock(self.path / KERNEL_LOCK)
        with storage(self.path):
            if not kernel.acquire(_DETACH_SECONDS):
                by = holder(self.path, locks=[KERNEL_LOCK]) or Held(kernel.path, None)
                raise RunExistsError(f"{self.path}: its notebook's kernel ({by}) still holds it; {by.advice}")
            try:
                yield
            finally:
                kernel.release()


def _unname(kernel: Lock) -> None:
    """Let a kernel's lock name nobody where that kernel was ended: another machine could not tell that it is gone."""
    with contextlib.suppress(OSError):
        if kernel.acquire(patience=0.0):
            kernel.release()


def media_type(path: str) -> str:
    """Return the media type of a file by its suffix."""
    return _MEDIA_TYPES.get(PurePosixPath(path).suffix, _UNKNOWN_MEDIA_TYPE)


def _refuse_own(relative: str) -> None:
    if relative in _OWN_FILES or relative.partition("/")[0] == CANON.RUN_SUBDIR.CHECKPOINTS:
        raise IntegrityError(f"{relative}: the run itself keeps this file; no artifact can have its name")


def _written_before(record: RunRecord, relative: str, sha256: str) -> Artifact | None:
    """Return the artifact of an earlier call that wrote the same bytes, as when a cell is executed again."""
    written = next((artifact for artifact in record.artifact_index if artifact.path == relative), None)
    if written is not None and written.sha256 != sha256:
        raise IntegrityError(
            f"{record.run_id}: {relative} is already written with other bytes; a run writes each file once, begin it again"
        )
    return written
