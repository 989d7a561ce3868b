"""The files that a path of the params names: one file, or those that a glob matches, within a bounded search."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from fnmatch import translate
from pathlib import Path

from critnb.errors import DependencyError
from critnb.params import Loaded
from critnb.system.paths import PathKind, kind
from critnb.system.terminal import breaking, plain

# a search of so many takes seconds; one that goes on is of a whole disk
_MOST_ENTRIES = 200_000
_LONGEST_SHOWN = 200
_ANY_DEPTH = "**"
_SUFFIXES = (".txt", ".md", ".jsonl", ".parquet")


def matching_files(path: str, loaded: Loaded, where: str) -> list[Path]:
    """Return the files that a path of the params names, a glob or not, in order of their names.

    A pattern means what it means to Python's ``glob``, ``**`` being folders at any depth, but that a file is taken once
    however many ways lead to its folder, and that a link back up is not followed. ``where`` begins every message. Raises
    DependencyError where nothing is matched, where a match is no file, and where the search is too long.
    """
    named = loaded.base_dir / path
    try:
        named = loaded.base_dir / Path(path).expanduser()
        if os.path.lexists(named) or not glob.has_magic(path):
            found = [named]
        else:
            # a root of its own keeps the brackets of a folder's name from being a pattern
            matched = sorted(_Search(where).matches(loaded.base_dir, Path(path).expanduser()), key=str)
            once: dict[tuple[Path, str], Path] = {}
            for each in matched:
                once.setdefault((each.parent.resolve(), each.name), each)
            found = [each for each in once.values() if not _passed_over(each, matched)]
        for each in found:
            _require_file(each, where)
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DependencyError(f"{where}: {_shown(_place_of(error, named))} cannot be looked up: {reason}") from None
    if not found:
        raise DependencyError(f"{where}: no file matches {_shown(named)}; check the path")
    return found


def _place_of(error: Exception, named: Path) -> object:
    return (error.filename if isinstance(error, OSError) else None) or named


def _shown(path: object) -> str:
    return plain(path, _LONGEST_SHOWN)


def _passed_over(path: Path, matched: list[Path]) -> bool:
    """Tell whether a match is a folder that only lies on the way, and not one in the place of a file."""
    if not path.is_dir():
        return False
    return path.suffix not in _SUFFIXES or any(path in other.parents for other in matched)


def _require_file(path: Path, where: str) -> None:
    if breaking(os.fsencode(path).decode("utf-8", "replace")):
        raise DependencyError(
            f"{where}: {_shown(path)}: the name holds a character that breaks a line; rename the file"
        )
    match kind(path, strict=True):
        case PathKind.file:
            return
        case PathKind.loop:
            found = "a link that leads back to itself; name the file"
        case PathKind.dangling:
            found = f"a link to {path.readlink()}, where nothing lies"
        case PathKind.nothing:
            raise DependencyError(f"{where}: no file matches {_shown(path)}; check the path")
        case PathKind.folder:
            found = f"a folder, not a file; name files in it, such as {path}/*.txt"
        case PathKind.pipe:
            found = "a named pipe, not a file"
        case other:
            found = f"{other}, not a file"
    raise DependencyError(f"{where}: {path} is {found}")


class _Search:
    """One search of a pattern; it looks at so many entries of folders and no more."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._left = _MOST_ENTRIES

    def matches(self, root: Path, pattern: Path) -> set[Path]:
        """Return what a pattern matches under ``root``, or from the top where it is absolute."""
        parts = pattern.relative_to(pattern.anchor).parts
        several = zip(parts, ("", *parts), strict=False)
        kept = [part for part, before in several if not part == before == _ANY_DEPTH]
        return set(self._matches(root / pattern.anchor, kept))

    def _matches(self, folder: Path, parts: list[str]) -> Iterator[Path]:
        if not parts:
            yield folder
            return
        head, *rest = parts
        if head == _ANY_DEPTH:
            for inner in self._below(folder, frozenset()):
                yield from self._matches(inner, rest or ["*"])
        elif not glob.has_magic(head):
            if os.path.lexists(folder / head):
                yield from self._matches(folder / head, rest)
        else:
            fits = re.compile(translate(head)).match
            for entry in self._entries(folder, hidden=head.startswith(".")):
                if fits(entry.name) and (not rest or _is_folder(entry)):
                    yield from self._matches(Path(entry.path), rest)

    def _below(self, folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
        """Yield a folder and all folders in it, but for those ``above``, through which the search came."""
        if not folder.is_dir():
            return
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            return
        yield folder
        for entry in self._entries(folder, hidden=False):
            if _is_folder(entry):
                yield from self._below(Path(entry.path), above | {here})

    def _entries(self, folder: Path, *, hidden: bool) -> list[os.DirEntry[str]]:
        if not folder.is_dir():
            return []
        try:
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if hidden or not entry.name.startswith(".")]
        except FileNotFoundError:  # gone since its folder was read
            return []
        self._left -= len(found) + 1
        if self._left < 0:
            raise DependencyError(
                f"{self._where}: the pattern leads to more than {_MOST_ENTRIES} files and folders; name a folder "
                "that holds fewer, or put the texts into one .jsonl"
            )
        return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads nowhere
        return False
