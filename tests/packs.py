"""Copies of the pack in which a test may change something."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

COMPILED = (".pyc", ".nbi", ".nbc")


def copied(source: Path, target: Path, *, without: str = "") -> Path:
    """Copy a folder with what Python and numba compiled in it, which holds for every file that is not changed then.

    ``without`` is a folder to leave out. What another process is just compiling is not copied.
    """
    return Path(shutil.copytree(source, target, ignore=_ignoring(without)))


def _ignoring(name: str) -> Callable[[str, list[str]], set[str]]:
    def ignored(folder: str, names: list[str]) -> set[str]:
        cache = Path(folder).name == "__pycache__"
        return {each for each in names if each == name or (cache and not each.endswith(COMPILED))}

    return ignored
