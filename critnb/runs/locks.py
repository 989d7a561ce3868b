"""Locks that die with their process: who works on a partial run, and who changes a runs folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from critnb.errors import StorageError

RUNNER_LOCK = ".runner.lock"
KERNEL_LOCK = ".kernel.lock"
RECORD_LOCK = ".record.lock"
RUN_LOCKS = (RUNNER_LOCK, KERNEL_LOCK)
LOCK_FILES = frozenset({RUNNER_LOCK, KERNEL_LOCK, RECORD_LOCK})
STORE_LOCK = ".store.lock"

_POLL_SECONDS = 0.005
# is_free takes a lock for an instant, so acquire waits longer than a few such looks
_PATIENCE_SECONDS = 0.5
_LOOK_SECONDS = 0.02
_CRITICAL_SECTION_SECONDS = 60.0


class Lock:
    """An exclusive lock on a file; the operating system drops it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Not per thread: a run opened in one thread may be closed in another.
        self._lock = FileLock(path, thread_local=False)

    def acquire(self, patience: float = _PATIENCE_SECONDS) -> bool:
        """Take the lock and leave this process' id in its file; False if another holds it. Raises OSError."""
        if not self._take(patience):
            return False
        try:
            self.path.write_text(str(os.getpid()), encoding="ascii")
        except OSError:
            self.release()
            raise
        return True

    def is_free(self) -> bool:
        """Whether nobody held the lock a moment ago; raises OSError where its file cannot be opened."""
        if not self._take(_LOOK_SECONDS):
            return False
        self.release()
        return True

    def release(self) -> None:
        """Release the lock; its file stays, since those who wait for it would otherwise wait for different files."""
        self._lock.release()

    def _take(self, patience: float) -> bool:
        try:
            self._lock.acquire(timeout=patience, poll_interval=_POLL_SECONDS)
        except Timeout:
            return False
        return True


def holder(partial: Path, *, locks: Sequence[str] = RUN_LOCKS) -> str | None:
    """Return who holds a partial run by one of the locks (``process 123``), or None when no living process does."""
    for name in locks:
        path = partial / name
        if path.is_file() and not _is_free(path):
            return _named(path)
    return None


def _is_free(path: Path) -> bool:
    try:
        return Lock(path).is_free()
    except OSError:
        # A folder that may only be read: nothing can be held there by anyone on this side of the mount.
        return True


def _named(path: Path) -> str:
    try:
        pid = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        pid = ""  # the run has just ended
    return f"process {pid}" if pid.isdigit() else "another process"


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Hold a lock file for a short critical section; raises StorageError when it stays taken, OSError as ``open``."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=_CRITICAL_SECTION_SECONDS, poll_interval=_POLL_SECONDS)
    except Timeout:
        raise StorageError(f"{path}: held by another process for too long; end it or try again") from None
    try:
        yield
    finally:
        lock.release()
