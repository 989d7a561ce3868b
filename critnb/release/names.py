"""Names that every file system takes, each for a file of its own: what a release's files may be called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from critnb.errors import IntegrityError
from critnb.runs.files import relative_path

# of bytes in a folder's or file's name, and in a whole path, which is unpacked below some other
_LONGEST_PART, LONGEST = 255, 1024
_DEEPEST = 32
_FORBIDDEN = frozenset('<>"|?*')
# a device on Windows, whatever follows the first dot, and git's own folder under the names that file systems know it by
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?|\.git|git~[0-9]+", re.IGNORECASE)


def problem(names: Sequence[str]) -> str:
    """Return what is wrong with the names of a zip's files, in their order there; empty for nothing."""
    return next(_problems(names), "")


def _problems(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield from _of_one(name)
    for earlier, name in pairwise(names):
        if earlier.encode() >= name.encode():
            yield f"{name} " + ("is there twice" if name == earlier else f"stands behind {earlier}")
    yield from _collisions(names)


def _of_one(name: str) -> Iterator[str]:
    if len(name.encode()) > LONGEST or name.count("/") >= _DEEPEST:
        yield f"{name[:_LONGEST_PART]}... is longer or deeper than a path may be"
        return
    try:
        relative_path(name)
    except IntegrityError:
        yield f"{name!r} is no plain relative path; it could be written outside of its folder"
    for part in name.split("/"):
        if len(part.encode()) > _LONGEST_PART:
            yield f"{part} is longer than a name may be"
        if part.endswith((".", " ")) or _RESERVED.fullmatch(part) or not _FORBIDDEN.isdisjoint(part):
            yield f"{name!r} means something else, or nothing, on some file systems"


def _collisions(names: Sequence[str]) -> Iterator[str]:
    """Say of names that one file system or another takes for the same, and of files that are folders of others."""
    # number of a folder and name in it -> the name as it was first spelled, and its own number if it is a folder
    seen: dict[tuple[int, str], tuple[str, int]] = {}
    for name in names:
        *folders, last = name.split("/")
        inside = 0
        for part in folders:
            spelled, number = seen.setdefault((inside, _folded(part)), (part, len(seen) + 1))
            if spelled != part or not number:
                yield f"{part} of {name} and {spelled} are one name on some file systems"
            inside = number
        if (inside, _folded(last)) in seen:
            yield f"{name} and {seen[inside, _folded(last)][0]} beside it are one name on some file systems"
        seen[inside, _folded(last)] = (last, 0)


def _folded(part: str) -> str:
    return unicodedata.normalize("NFC", part).casefold()
