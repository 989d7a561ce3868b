"""How what is computed again differs from what a run holds: files byte by byte or number by number, records gate by gate."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from critnb.pipeline.inputs import ADOPTED_FROM
from critnb.pipeline.session import SHARED
from critnb.report.schema.columns import PROVENANCE
from critnb.review.diff.files import frames_differ, json_differ, npz_differ
from critnb.review.diff.values import Difference
from critnb.runs.decoding import json_value, npz_arrays, parquet_frame
from critnb.runs.record import RunRecord
from critnb.verify.replay import Replayed

# relative; other versions of numpy and other processors may change the last bits
TOLERANCE = 1e-9
_GATES = "gates"
# metrics that only a stage with its model can give, or that say how a run came by arrays
_NOT_MADE_AGAIN = frozenset({"prompt_reuse", ADOPTED_FROM, SHARED})
Recorded = Mapping[str, Any]


def file_problem(path: str, stored: bytes, made: bytes) -> str | None:
    """Return None for the same bytes, "" where only last bits differ, else what is wrong."""
    return None if stored == made else "; ".join(_differences(path, stored, made))


def _differences(path: str, stored: bytes, made: bytes) -> Iterator[str]:
    """Yield how a file differs from the one that is computed again; nothing where only last bits differ."""
    match PurePosixPath(path).suffix:
        case ".json":
            yield from _in_words(json_differ(json_value(stored), json_value(made)))
        case ".csv":
            yield from _frame_differences(path, *(pd.read_csv(io.BytesIO(data)) for data in (stored, made)))
        case ".parquet":
            yield from _frame_differences(path, parquet_frame(stored), parquet_frame(made))
        case ".npz":
            yield from _in_words(npz_differ(npz_arrays(stored), npz_arrays(made)))
        case ".md" | ".html":
            yield "is not the text that claims and tables give"
        case _:
            yield "computed again, its bytes are others, and how near they are cannot be said of a file of this kind"


def _frame_differences(path: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[str]:
    yield from _in_words(frames_differ(path, old, new))
    for name in (column.name for column in PROVENANCE):
        if name in new.columns and not (name in old.columns and old[name].equals(new[name])):
            yield f"its {name} is not that of the run"


def _in_words(difference: Difference) -> Iterator[str]:
    """Yield what a comparison found, in words; nothing where only last bits differ."""
    yield from difference.remarks
    if difference.without_size:
        yield f"computed again, {difference.without_size} values differ, as in {difference.example}"
    largest = difference.relative
    if largest is not None and largest.size > TOLERANCE:
        yield (
            f"computed again, {largest.where} is {largest.new:.9g} and not {largest.old:.9g}"
            f" ({difference.differing} of {difference.values} values differ)"
        )


def record_problems(record: RunRecord, made: Replayed) -> Iterator[str]:
    """Yield how a record differs from what the artifacts of its run give: gates, summary numbers, conditions."""
    yield from gate_problems(record.metrics.get(_GATES, []), made.metrics.get(_GATES, []))
    said, found = (
        {name: value for name, value in metrics.items() if name != _GATES and name not in _NOT_MADE_AGAIN}
        for metrics in (record.metrics, made.metrics)
    )
    yield from (f"metrics: {each}" for each in _in_words(json_differ(said, found)))
    if list(record.conditions) != list(made.conditions):
        yield "conditions are not those of its raster"


def gate_problems(recorded: Sequence[Recorded], made: Sequence[Recorded]) -> Iterator[str]:
    """Yield every gate that is changed, missing, added or out of order; numbers may differ in their last bits."""
    said, found = ({str(gate["name"]): gate for gate in gates} for gates in (recorded, made))
    yield from (f"gate {name!r} is not in the record" for name in found if name not in said)
    yield from (f"gate {name!r} is none of this stage's" for name in said if name not in found)
    for name in found:
        if name in said:
            yield from _changed(name, said[name], found[name])
    if not set(said) ^ set(found) and [str(gate["name"]) for gate in recorded] != list(found):
        yield "its gates are not each there once, in the order of the notebook"


def _changed(name: str, said: Recorded, found: Recorded) -> Iterator[str]:
    for key in sorted({*said, *found}):
        recorded, given = said.get(key), found.get(key)
        if not _same(recorded, given):
            yield f"gate {name!r} is recorded with {key} {_short(recorded)}, its artifacts give {_short(given)}"


def _same(recorded: Any, given: Any) -> bool:
    numbers = [isinstance(each, int | float) and not isinstance(each, bool) for each in (recorded, given)]
    if all(numbers):
        return math.isclose(recorded, given, rel_tol=TOLERANCE)
    return type(recorded) is type(given) and bool(recorded == given)


def _short(value: Any) -> str:
    return repr(value)[:200]
