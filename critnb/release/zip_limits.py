"""What the zip of a release may hold: names that every file system takes, each for a file of its own, and a bounded size.

Whoever reads a zip refuses anything else before it costs time or memory; whoever writes one refuses a larger one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from critnb.canon import CANON
from critnb.errors import IntegrityError
from critnb.release.zip_layout import Member
from critnb.runs.files import relative_path

# bytes of a folder's or file's name, and of a whole path, which is unpacked below another folder
_LONGEST_PART, LONGEST_PATH = 255, 1024
_DEEPEST = 32
_FORBIDDEN = frozenset('<>"|?*')
# a device on Windows, whatever follows the first dot, and git's own folder under the names that file systems know it by
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?|\.git|git~[0-9]+", re.IGNORECASE)
# the demo's release has 900 files in 21 runs
MOST_FILES, _MOST_RUNS = 20_000, 200
# bytes of a file that is read whole and turned into something larger; arrays and tables state their own size
_LONGEST_FILE = 1 << 28
_STREAMED = frozenset({".npz", ".parquet", ".csv", ".safetensors"})


def name_problem(names: Sequence[str]) -> str:
    """Return what is wrong with the names of a zip's files, given in their order there; empty for nothing."""
    return next(_name_problems(names), "")


def _name_problems(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield from _part_problems(name)
    for earlier, name in pairwise(names):
        if earlier.encode() >= name.encode():
            yield f"{name} " + ("is there twice" if name == earlier else f"stands behind {earlier}")
    yield from _collisions(names)


def _part_problems(name: str) -> Iterator[str]:
    if len(name.encode()) > LONGEST_PATH or name.count("/") >= _DEEPEST:
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
    """Name files that some file system takes for one, and files that have the name of a folder."""
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


def size_problem(members: Sequence[Member]) -> str:
    """Return in which way these files are more than a release has; empty for a release of any sensible size."""
    if len(members) > MOST_FILES:
        return f"it has {len(members)} files, a release at most {MOST_FILES}"
    parts = (PurePosixPath(each.name).parts for each in members)
    runs = len({part[1] for part in parts if len(part) > 2 and part[0] == CANON.PATH.RUNS_DIR})
    if runs > _MOST_RUNS:
        return f"it has {runs} runs, a release at most {_MOST_RUNS}"
    long = (each for each in members if each.size > _LONGEST_FILE and PurePosixPath(each.name).suffix not in _STREAMED)
    return next((f"{each.name} has {each.size} bytes, files of its kind at most {_LONGEST_FILE}" for each in long), "")
