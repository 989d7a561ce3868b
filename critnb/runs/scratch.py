"""Temporary folders; one whose process was killed is removed when the next one is made."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType

from critnb.errors import CritnbError, StorageError
from critnb.runs.files import storage
from critnb.runs.locks import Lock

_PREFIX = "critnb-"
_OWNER = ".owner.lock"
_ADVICE = "make room and leave to write there, or name another folder in TMPDIR"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_ROOM_BYTES = 1 << 20
_TRIES = 5
# between making a folder and making its lock
_GRACE_SECONDS = 60.0


class Scratch:
    """A new folder below the temporary directory, for this process; as a context manager it gives its path.

    A lock that dies with its process tells a folder in use from one that a killed process left. Inside the context, a
    temporary directory that is full or read-only is a StorageError.
    """

    def __init__(self) -> None:
        """Make the folder, and remove those whose process is gone; raises StorageError."""
        parent = _temporary_directory()
        _sweep(parent)
        with storage(parent, advice=_ADVICE):
            self.path, self._lock = _made(parent)
            try:
                _require_room(self.path)
            except OSError:
                self.close()
                raise

    def close(self) -> None:
        """Remove the folder with all that it holds; a second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        if isinstance(error, OSError) and not isinstance(error, CritnbError) and self._is_about_it(error):
            raise StorageError(f"{self.path.parent}: {error.strerror}; {_ADVICE}") from error

    def _is_about_it(self, error: OSError) -> bool:
        if error.filename is None:
            # an error while a file is written names no file; errors of a run's own files are StorageErrors already
            return error.errno in _NO_ROOM
        return Path(os.fsdecode(error.filename)).is_relative_to(self.path)


def _temporary_directory() -> Path:
    try:
        return Path(tempfile.gettempdir()).resolve()
    except FileNotFoundError as error:
        raise StorageError(f"no folder for temporary files can be written; {_ADVICE}") from error


def _made(parent: Path) -> tuple[Path, Lock]:
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = Lock(path / _OWNER)
        # a sweep may have taken the folder for an abandoned one before its lock was held
        with contextlib.suppress(FileNotFoundError):
            if lock.acquire():
                return path, lock
    raise StorageError(f"{parent}: folders that are made there vanish; name another folder in TMPDIR")


def _require_room(folder: Path) -> None:
    """Raise OSError where the disk has no room for a notebook; a kernel without room could not even report that."""
    probe = folder / ".room"
    probe.write_bytes(bytes(_ROOM_BYTES))
    probe.unlink()


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.getuid():
                _remove_abandoned(folder)


def _remove_abandoned(folder: Path) -> None:
    if not (folder / _OWNER).is_file():
        # a folder of a process that was killed before it had a lock is empty; any other is not of this pack
        if time.time() - folder.stat().st_mtime > _GRACE_SECONDS:
            folder.rmdir()
        return
    lock = Lock(folder / _OWNER)
    if lock.acquire(patience=0.0):
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
