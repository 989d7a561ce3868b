"""Files that are whole or absent: atomic writes, digests, and paths that cannot leave their run."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from critnb.errors import CritnbError, IntegrityError, StorageError

TEMPORARY_SUFFIX = ".tmp"
# errors for a path that holds no regular file; any other error may be gone at the next try
_NO_FILE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
    | {errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.ENAMETOOLONG}
)
_CHUNK = 1 << 20


@contextmanager
def storage(path: Path, *, advice: str = "make room and leave to write, or use another --runs-dir") -> Iterator[None]:
    """Turn an operating system's refusal (full, read-only, not a folder) into one line that names path, cause and advice.

    Raises StorageError for any OSError of the block that is not one of the pack's own errors.
    """
    try:
        yield
    except CritnbError:
        raise
    except OSError as error:
        where = error.filename or path
        cause = error.strerror or str(error)
        raise StorageError(f"{where}: {cause}; {advice}") from error


def may_be_sound(error: OSError) -> bool:
    """Whether a file that could not be read may still be sound: the disk, the network or a limit was the cause."""
    return error.errno not in _NO_FILE


def unread_error(path: Path | str, error: OSError) -> StorageError:
    """Return the error about a file that ``may_be_sound`` and could not be read."""
    cause = error.strerror or str(error)
    return StorageError(
        f"{path}: cannot be read now ({cause}); it may be sound, so keep it, put that right and try again"
    )


def sha256_hex(data: bytes) -> str:
    """Return the 64 hex digits of the data's SHA-256."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> tuple[str, int]:
    """Return (hex digest, bytes) of a regular file, read in pieces; raises OSError for a symlink or other special file."""
    sink = HashingSink()
    for piece in pieces(path):
        sink.write(piece)
    return sink.sha256, sink.size


def pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a regular file in pieces; raises OSError for a symlink or other special file."""
    with open_regular(path) as handle:
        while piece := handle.read(_CHUNK):
            yield piece


def read_regular(path: Path) -> bytes:
    """Return the bytes of a regular file; raises OSError for a symlink or other special file."""
    with open_regular(path) as handle:
        return handle.read()


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises OSError for a symlink or other special file."""
    # O_NONBLOCK: opening a pipe that someone put in a file's place must fail, not wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "is not a regular file", str(path))


def relative_path(relative: str) -> PurePosixPath:
    """Return the path if it stays inside a run, whatever is on disk.

    Raises IntegrityError unless it is relative, in POSIX form, already normal, and free of ``..``.
    """
    path = PurePosixPath(relative)
    strange = "\\" in relative or ":" in relative or not relative.isprintable()
    if strange or path.is_absolute() or ".." in path.parts or not path.parts or str(path) != relative:
        raise IntegrityError(f"{relative!r} is no plain relative path inside a run")
    return path


def symlink_within(root: Path, relative: PurePosixPath) -> Path | None:
    """Return the first component of ``root / relative`` below root that is a symbolic link, or None."""
    steps = (root.joinpath(*relative.parts[: depth + 1]) for depth in range(len(relative.parts)))
    return next((step for step in steps if step.is_symlink()), None)


def inside(root: Path, relative: str) -> Path:
    """Return ``root / relative``; raises IntegrityError for a path that leaves root, by its text or by a symlink."""
    path = relative_path(relative)
    if (link := symlink_within(root, path)) is not None:
        raise IntegrityError(f"{link} is a symbolic link; a run holds plain files only")
    return root / path


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file so that a kill or a full disk leaves the old file or the new one, never a part.

    Raises OSError naming the path.
    """
    with atomic_file(path) as handle:
        handle.write(data)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write to, which replaces the one at the path when the block ends well; otherwise nothing changes.

    Written beside its place, synced, checked for length, renamed, folder synced. Raises OSError naming the path.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("xb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
            written = handle.tell()
        if temporary.stat().st_size != written:
            raise OSError(errno.EIO, "the file system kept fewer bytes than were written", str(path))
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    sync_folder(path.parent)


class HashingSink:
    """Passes bytes on to a file, if there is one, and knows their sha256 and their number."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file, self._digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Write the next bytes; raises OSError."""
        if self._file is not None:
            self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """The hex digest of what was written so far."""
        return self._digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the folder's entries (new names, renames) last through a power cut; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
