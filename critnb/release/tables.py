"""Check the tables and the paper of a release: made again from the artifacts beside them, they must come out as they stand.

A file comes out with the same bytes, or near (numbers of JSON, Parquet and NPZ within a tolerance), or it is a finding.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from critnb.compare.files import frames_differ, json_differ, npz_differ
from critnb.compare.values import Difference
from critnb.release.contents import run_folder
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.release.replay import replay, works
from critnb.report.schema import SCHEMAS
from critnb.report.schema.columns import PROVENANCE
from critnb.report.tables import load_table, table_path
from critnb.runs import Run
from critnb.runs.decoding import json_value, npz_arrays, parquet_frame
from critnb.runs.encoding import csv_bytes

# what other versions of numpy and other processors may change in the last bits, and nothing that a reader would see
_TOLERANCE = 1e-9


def same_rows(release: Opened) -> Result:
    """Hold each table's CSV against its Parquet, and the Parquet against its schema."""
    wrong, looked_at = [], 0
    for run in release.runs:
        for schema in SCHEMAS.values():
            path = table_path(schema, ".csv")
            if path in run.artifacts:
                looked_at += 1
                if csv_bytes(load_table(run, schema.name)) != run.read_bytes(path):
                    wrong.append(f"{run_folder(run.run_id)}/{path}: its rows are not those of the Parquet beside it")
    return Result(wrong, f"{looked_at} tables under their schemas, CSV and Parquet alike")


def recomputed(release: Opened) -> Result:
    """Do the work of every stage again that needs no model, and hold all that it writes against what is there."""
    made = [each for run in release.runs if run.stage in works() for each in _made_again(run)]
    same = sum(each.problem is None for each in made)
    near = sum(each.problem == "" for each in made)
    close = f", {near} within {_TOLERANCE:g}" if near else ""
    wrong = [f"{each.path}: {each.problem}" for each in made if each.problem]
    return Result(wrong, f"{same} files came out with the same bytes{close}")


@dataclass(frozen=True)
class _Again:
    """A file that was made again: None for the same bytes, "" where only last bits differ, else what is wrong."""

    path: str
    problem: str | None


def _made_again(run: Run) -> list[_Again]:
    folder = run_folder(run.run_id)
    try:
        made = replay(run, works()[run.stage])
        return [_Again(f"{folder}/{path}", _problem(path, run.read_bytes(path), data)) for path, data in made.items()]
    except Exception as error:
        # artifacts of strangers may break any code, and the other runs are to be looked at all the same
        return [_Again(folder, f"cannot be computed again: {type(error).__name__}: {error}")]


def _problem(path: str, stored: bytes, made: bytes) -> str | None:
    return None if stored == made else "; ".join(_apart(path, stored, made))


def _apart(path: str, stored: bytes, made: bytes) -> Iterator[str]:
    """Say in which way a file is not what its artifacts give; nothing where only last bits differ."""
    match PurePosixPath(path).suffix:
        case ".json":
            yield from _told(json_differ(json_value(stored), json_value(made)))
        case ".csv":
            yield from _frames_apart(path, *(pd.read_csv(io.BytesIO(data)) for data in (stored, made)))
        case ".parquet":
            yield from _frames_apart(path, parquet_frame(stored), parquet_frame(made))
        case ".npz":
            yield from _told(npz_differ(npz_arrays(stored), npz_arrays(made)))
        case ".md" | ".html":
            yield "is not the text that claims and tables give"
        case _:
            yield "computed again, its bytes are others, and how near they are cannot be said of a file of this kind"


def _frames_apart(path: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[str]:
    yield from _told(frames_differ(path, old, new))
    for name in (column.name for column in PROVENANCE):
        if name in new.columns and not (name in old.columns and old[name].equals(new[name])):
            yield f"its {name} is not that of the run"


def _told(difference: Difference) -> Iterator[str]:
    yield from difference.remarks
    if difference.without_size:
        yield f"computed again, {difference.without_size} values differ, as in {difference.example}"
    largest = difference.relative
    if largest is not None and largest.size > _TOLERANCE:
        yield (
            f"computed again, {largest.where} is {largest.new:.9g} and not {largest.old:.9g}"
            f" ({difference.differing} of {difference.values} values differ)"
        )
