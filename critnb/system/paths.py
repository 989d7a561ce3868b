"""Paths that users give, in params or as an option: absolute, or refused in one line before anything is done with them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from critnb.errors import CritnbError, ParamsError
from critnb.system.terminal import breaking, is_half, plain

_SHOWN = 100
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def absolute(
    given: str | Path,
    *,
    what: str,
    base: Path | None = None,
    unreachable: type[CritnbError] = ParamsError,
    any_bytes: bool = False,
) -> Path:
    """Return a user's path, ``~`` and links followed, seen from ``base`` or from here; it need not exist.

    ``what`` names the key or option. Raises ParamsError for a path that no file can have, ``unreachable`` for a loop of
    links or a folder that must not be read. Names that are not UTF-8 are refused unless ``any_bytes`` is given: libraries
    that read models and tables cannot open them.
    """
    shown = f"{what}: {plain(given, _SHOWN)}"
    try:
        path = Path(base or "", Path(given).expanduser())
        path.exists()  # where an operating system takes no such name, it says so here
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


def kind(path: Path) -> str | None:
    """Say what a path names: ``"file"`` for a regular file, None for nothing, else in words; raises no error."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            return "a loop of links"
        return "a link to nothing" if _is_link(path) else None
    return "file" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except (OSError, ValueError):
        return False


def from_here(path: Path) -> str:
    """Return a path as one types it: relative to the working folder where it lies below that."""
    try:
        relative = os.path.relpath(path)
    except OSError:  # the working folder is gone
        return str(path)
    return str(path) if relative.startswith(os.pardir) else relative
