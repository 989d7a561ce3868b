"""Files that a user names on the command line: where they lie, or in words why not."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from critnb.errors import DependencyError

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def given_file(path: Path) -> Path:
    """Return where a regular file lies, links followed; nothing is opened.

    Raises DependencyError, one line, for what is not there or no file, and for a file that may not be read.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise DependencyError(f"{path}: {_why(path, error)}") from error
    if not stat.S_ISREG(mode):
        found = next((words for is_kind, words in _KINDS if is_kind(mode)), "a device")
        raise DependencyError(f"{path}: is {found}, not a file")
    if not os.access(path, os.R_OK):
        raise DependencyError(f"{path}: {os.strerror(errno.EACCES)}")
    return Path(os.path.realpath(path))


def _why(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return f"no path of a file ({error})"
    if error.errno == errno.ELOOP:
        return "is a symbolic link that leads in a circle"
    if error.errno == errno.ENOENT and path.is_symlink():
        return f"is a symbolic link to {str(path.readlink())!r}, which is not there"
    return "no such file" if error.errno == errno.ENOENT else error.strerror or str(error)
