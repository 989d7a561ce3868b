"""Paths that users give, in params or as an option: what they name, or one line on why they cannot be used."""

from __future__ import annotations

import errno
import os
import stat
from enum import StrEnum
from pathlib import Path

from critnb.errors import CritnbError, DependencyError, ParamsError
from critnb.system.terminal import breaking, is_half, plain

_SHOWN = 100


class PathKind(StrEnum):
    """What a path names, links followed, in words; the words for nothing are empty."""

    file = "file"
    folder = "a folder"
    pipe = "a pipe"
    device = "a device"
    socket = "a socket"
    loop = "a loop of links"
    dangling = "a link to nothing"
    nothing = ""


_BY_FORMAT = {
    stat.S_IFREG: PathKind.file,
    stat.S_IFDIR: PathKind.folder,
    stat.S_IFIFO: PathKind.pipe,
    stat.S_IFSOCK: PathKind.socket,
}


def absolute(
    given: str | Path,
    *,
    what: str,
    base: Path | None = None,
    unreachable: type[CritnbError] = ParamsError,
    any_bytes: bool = False,
) -> Path:
    """Return a user's path as an absolute one, ``~`` and links followed, from ``base`` or the working folder; it need not exist.

    ``what`` names the key or option. Raises ParamsError for a path that no file can have, ``unreachable`` for a loop of
    links or a folder that must not be read. Names that are not UTF-8 are refused unless ``any_bytes`` is given: libraries
    that read models and tables cannot open them.
    """
    shown = f"{what}: {plain(given, _SHOWN)}"
    try:
        path = Path(base or "", Path(given).expanduser())
        path.exists()  # raises for a name that the operating system does not take
        found = path.resolve()
    except ValueError:
        raise ParamsError(f"{shown}: no path holds a NUL character; remove it") from None
    except RuntimeError as error:
        if "loop" in str(error):
            raise unreachable(f"{shown}: a loop of links; point the link at a file or folder") from None
        raise ParamsError(f"{shown}: there is no such user, or no home folder; write the folder out") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ParamsError(f"{shown}: too long for a path; shorten it") from None
        raise unreachable(f"{shown}: cannot be reached: {error.strerror}") from error
    text = os.fsencode(found).decode("utf-8", "replace") if any_bytes else str(found)
    if character := breaking(text):
        kind_of = "bytes that are not UTF-8" if is_half(character) else f"the character {plain(character)}"
        raise ParamsError(f"{shown}: a name on the way holds {kind_of}; rename that file or folder")
    return found


def kind(path: Path, *, strict: bool = False) -> PathKind:
    """Return what a path names, links followed; nothing is opened.

    With ``strict``, raises OSError or ValueError for a path that the operating system does not look up (no permission, a
    name that is too long, a NUL character); otherwise such a path names nothing.
    """
    try:
        return _BY_FORMAT.get(stat.S_IFMT(path.stat().st_mode), PathKind.device)
    except (FileNotFoundError, NotADirectoryError):
        return PathKind.dangling if path.is_symlink() else PathKind.nothing
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            return PathKind.loop
        if strict:
            raise
        return PathKind.nothing


def readable_file(path: Path) -> Path:
    """Return where the regular file lies that a user names, links followed; nothing is opened.

    Raises DependencyError, one line, for what is not there, is no file, or may not be read.
    """
    try:
        found = kind(path, strict=True)
    except ValueError as error:
        raise DependencyError(f"{path}: no path of a file ({error})") from error
    except OSError as error:
        raise DependencyError(f"{path}: {error.strerror or error}") from error
    match found:
        case PathKind.file if os.access(path, os.R_OK):
            return Path(os.path.realpath(path))
        case PathKind.file:
            reason = os.strerror(errno.EACCES)
        case PathKind.loop:
            reason = "is a symbolic link that leads in a circle"
        case PathKind.dangling:
            reason = f"is a symbolic link to {str(path.readlink())!r}, which is not there"
        case PathKind.nothing:
            reason = "no such file"
        case _:
            reason = f"is {found}, not a file"
    raise DependencyError(f"{path}: {reason}")


def from_here(path: Path) -> str:
    """Return a path as one types it: relative if it is below the working folder."""
    try:
        relative = os.path.relpath(path)
    except OSError:  # the working folder is gone
        return str(path)
    return str(path) if relative.startswith(os.pardir) else relative
