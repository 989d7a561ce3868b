"""What a release has at most; more is refused before it costs time or memory, by who writes it and who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from critnb.canon import CANON
from critnb.release.layout import Member

# the demo's has 900 files in 21 runs
FILES, RUNS = 20_000, 200
# of a file that is read whole and turned into something larger; arrays and tables say themselves what they come to
_LONGEST = 1 << 28
_LONG = frozenset({".npz", ".parquet", ".csv", ".safetensors"})


def problem(members: Sequence[Member]) -> str:
    """Return in which way these are more than a release has; empty for a release of any sensible size."""
    if len(members) > FILES:
        return f"it has {len(members)} files, a release at most {FILES}"
    parts = (PurePosixPath(each.name).parts for each in members)
    runs = len({part[1] for part in parts if len(part) > 2 and part[0] == CANON.PATH.RUNS_DIR})
    if runs > RUNS:
        return f"it has {runs} runs, a release at most {RUNS}"
    long = (each for each in members if each.size > _LONGEST and PurePosixPath(each.name).suffix not in _LONG)
    return next((f"{each.name} has {each.size} bytes, files of its kind at most {_LONGEST}" for each in long), "")
