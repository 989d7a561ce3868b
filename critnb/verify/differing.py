"""In which way a file that was made again is not the file that is there: the same bytes, near, or a finding in words."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from critnb.report.schema.columns import PROVENANCE
from critnb.review.diff.files import frames_differ, json_differ, npz_differ
from critnb.review.diff.values import Difference
from critnb.runs.decoding import json_value, npz_arrays, parquet_frame

# what other versions of numpy and other processors may change in the last bits, and nothing that a reader would see
TOLERANCE = 1e-9


def problem(path: str, stored: bytes, made: bytes) -> str | None:
    """Return None for the same bytes, "" where only last bits differ, else what is wrong."""
    return None if stored == made else "; ".join(_apart(path, stored, made))


def _apart(path: str, stored: bytes, made: bytes) -> Iterator[str]:
    """Say in which way a file is not what its artifacts give; nothing where only last bits differ."""
    match PurePosixPath(path).suffix:
        case ".json":
            yield from told(json_differ(json_value(stored), json_value(made)))
        case ".csv":
            yield from _frames_apart(path, *(pd.read_csv(io.BytesIO(data)) for data in (stored, made)))
        case ".parquet":
            yield from _frames_apart(path, parquet_frame(stored), parquet_frame(made))
        case ".npz":
            yield from told(npz_differ(npz_arrays(stored), npz_arrays(made)))
        case ".md" | ".html":
            yield "is not the text that claims and tables give"
        case _:
            yield "computed again, its bytes are others, and how near they are cannot be said of a file of this kind"


def _frames_apart(path: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[str]:
    yield from told(frames_differ(path, old, new))
    for name in (column.name for column in PROVENANCE):
        if name in new.columns and not (name in old.columns and old[name].equals(new[name])):
            yield f"its {name} is not that of the run"


def told(difference: Difference) -> Iterator[str]:
    """Say what is not the same in a comparison; nothing where only last bits differ."""
    yield from difference.remarks
    if difference.without_size:
        yield f"computed again, {difference.without_size} values differ, as in {difference.example}"
    largest = difference.relative
    if largest is not None and largest.size > TOLERANCE:
        yield (
            f"computed again, {largest.where} is {largest.new:.9g} and not {largest.old:.9g}"
            f" ({difference.differing} of {difference.values} values differ)"
        )
