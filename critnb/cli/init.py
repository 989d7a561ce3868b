"""The command ``init``: a working folder of a user's own, with copies of the pack's notebooks and params files."""

from __future__ import annotations

import shutil
from pathlib import Path

from critnb.canon import CANON, IS_INSTALLED, Exit, pack_path
from critnb.errors import ParamsError, StorageError
from critnb.system.paths import absolute, from_here, kind
from critnb.system.terminal import out, plain

_COPIED = ((CANON.PATH.NOTEBOOKS_DIR, "*.ipynb"), (CANON.PATH.PARAMS_DIR, "*.yaml"))
# a clone keeps its runs itself, wherever its commands are called from
_OF_A_CLONE = "" if IS_INSTALLED else f" --runs-dir {CANON.PATH.RUNS_DIR}"


def init(given: Path) -> int:
    """Lay out a working folder and say what to do next; raises as ``lay_out``."""
    folder = absolute(given, what="init", any_bytes=True)
    copied = lay_out(folder)
    where = plain(from_here(folder))
    params = "base.yaml" if IS_INSTALLED else f"{CANON.PATH.PARAMS_DIR}/base.yaml"
    out(
        f"{where}: {copied} files in {' and '.join(f'{name}/' for name, _ in _COPIED)}",
        "next:",
        *([f"  cd {where}"] if where != "." else []),
        f"  critnb all --params {params}{_OF_A_CLONE}",
        f"  jupyter lab {CANON.PATH.NOTEBOOKS_DIR}",
    )
    return int(Exit.DONE)


def lay_out(folder: Path) -> int:
    """Copy the pack's notebooks and params files into a folder that is new or empty; returns how many files there are.

    Raises ParamsError for a path where something lies already, StorageError where it cannot be written; what was made up
    to there is removed again.
    """
    _refuse_taken(folder)
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return sum(_copy(name, pattern, folder / name) for name, pattern in _COPIED)
    except BaseException as error:
        for left in made[-1:] or [folder / name for name, _ in _COPIED]:
            shutil.rmtree(left, ignore_errors=True)
        if isinstance(error, OSError):
            cause = error.strerror or str(error)
            raise StorageError(f"init: {plain(error.filename or folder)}: {cause}; name another folder") from error
        raise


def _refuse_taken(folder: Path) -> None:
    try:
        taken = "holds files already" if folder.is_dir() and any(folder.iterdir()) else None
    except OSError as error:
        raise StorageError(f"init: {plain(folder)}: {error.strerror}; name another folder") from error
    if not folder.is_dir() and (what := kind(folder)):
        taken = "is a file" if what == "file" else f"is {what}"
    if taken is not None:
        raise ParamsError(f"init: {plain(folder)} {taken}; name a folder that is new or empty")


def _copy(name: str, pattern: str, to: Path) -> int:
    """Copy contents only: the permissions of an installed package are not those of a user's files."""
    to.mkdir()
    files = sorted(pack_path(name).glob(pattern))
    for file in files:
        (to / file.name).write_bytes(file.read_bytes())
    return len(files)
