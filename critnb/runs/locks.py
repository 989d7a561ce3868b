"""Locks that die with their process: who works on a partial run, and who changes a runs folder."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from critnb.errors import StorageError
from critnb.runs.holders import Holder

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


# what file systems without locks answer
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})


class Lock:
    """An exclusive lock on a file; the operating system drops it when the process ends, however it ends.

    Its file names the holder. A file that names a process on another machine counts as held until that process has released it or
    the file is deleted: not every network disk tells one machine of the locks of another. StorageError where there are no locks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _file_lock(path)

    def acquire(self, patience: float = _PATIENCE_SECONDS) -> bool:
        """Take the lock and say so in its file; False if another holds it. Raises OSError."""
        if not self._take(patience):
            return False
        try:
            if self._is_held_elsewhere():
                self._lock.release()
                return False
            self.path.write_bytes(Holder.here().line())
        except BaseException:
            self._lock.release()
            raise
        return True

    def is_free(self) -> bool:
        """Whether nobody held the lock a moment ago; raises OSError where its file cannot be opened.

        A look makes no file, nor the folder of a run that has just been removed, as taking the lock would.
        """
        if sys.platform == "win32":
            if not self._take(_LOOK_SECONDS):
                return False
            self._lock.release()
        elif not _was_free(self.path):
            return False
        return not self._is_held_elsewhere()

    def release(self) -> None:
        """Release the lock and name nobody in its file; a second call does nothing.

        The file stays, since those who wait for it would otherwise wait for different files.
        """
        if not self._lock.is_locked:
            return
        # it may be gone, with its folder
        with contextlib.suppress(OSError):
            os.truncate(self.path, 0)
        self._lock.release()

    def _take(self, patience: float) -> bool:
        with _locking(self.path):
            try:
                self._lock.acquire(timeout=patience, poll_interval=_POLL_SECONDS)
            except Timeout:
                return False
        return True

    def _is_held_elsewhere(self) -> bool:
        named = Holder.read(self.path)
        return named is not None and named.is_elsewhere()


def _was_free(path: Path) -> bool:
    """Whether the lock of a file could be taken, which it is for an instant; raises OSError as ``open``."""
    import fcntl  # which Windows has not

    started = time.monotonic()
    with _locking(path), path.open("r+b") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() - started > _LOOK_SECONDS:
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                return True


@dataclass(frozen=True)
class Held:
    """That a lock is held: as text, by whom; ``advice`` is what to do about it."""

    lock: Path
    by: Holder | None

    @property
    def advice(self) -> str:
        """What a user can do."""
        if self.by is not None and self.by.is_elsewhere():
            return f"wait for it or end it there; if it was killed, delete {self.lock}"
        return "wait for it or end it"

    @property
    def awaited(self) -> str:
        """What to tell who waits for it."""
        killed = f"; if that was killed, delete {self.lock}" if self.by is not None and self.by.is_elsewhere() else ""
        return f"is being made by {self}, waiting for it{killed}"

    def __str__(self) -> str:
        return "another process" if self.by is None else str(self.by)


def holder(partial: Path, *, locks: Sequence[str] = RUN_LOCKS) -> Held | None:
    """Return who holds a partial run by one of the locks, or None when no living process does, as far as can be told."""
    for name in locks:
        path = partial / name
        if path.is_file() and not _is_free(path):
            return Held(path, _named(path))
    return None


def _is_free(path: Path) -> bool:
    try:
        return Lock(path).is_free()
    except OSError:
        # A folder that may only be read: nothing can be held there by anyone on this side of the mount.
        return True


def _named(path: Path) -> Holder | None:
    try:
        return Holder.read(path)
    except OSError:
        return None


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Hold a lock file for a short critical section; raises StorageError when it stays taken, OSError as ``open``."""
    lock = _file_lock(path)
    with _locking(path):
        try:
            lock.acquire(timeout=_CRITICAL_SECTION_SECONDS, poll_interval=_POLL_SECONDS)
        except Timeout:
            raise StorageError(f"{path}: held by another process for too long; end it or try again") from None
    try:
        yield
    finally:
        lock.release()


def _file_lock(path: Path) -> FileLock:
    # Not per thread: a run opened in one thread may be closed in another. No file in a lock's place where there are no locks:
    # it would outlive its process.
    return FileLock(path, thread_local=False, fallback_to_soft=False)


@contextmanager
def _locking(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise StorageError(
            f"{path}: this file system has no locks ({error.strerror}); "
            "mount it with them, or use another disk (--runs-dir, TMPDIR)"
        ) from error
