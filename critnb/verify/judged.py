"""Hold what a record says of its run against what the run's artifacts give: gates, summary numbers, conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from critnb.review.diff.files import json_differ
from critnb.runs.record import RunRecord
from critnb.verify.differing import TOLERANCE, told
from critnb.verify.replay import Replayed

_GATES = "gates"
# what a model alone can tell
_OF_A_MODEL = frozenset({"prompt_reuse"})
Recorded = Mapping[str, Any]


def record_problems(record: RunRecord, made: Replayed) -> Iterator[str]:
    """Yield in which way a record is not what the artifacts of its run give, gate by gate."""
    yield from gate_problems(record.metrics.get(_GATES, []), made.metrics.get(_GATES, []))
    said, found = (
        {name: value for name, value in metrics.items() if name != _GATES and name not in _OF_A_MODEL}
        for metrics in (record.metrics, made.metrics)
    )
    yield from (f"metrics: {each}" for each in told(json_differ(said, found)))
    if list(record.conditions) != list(made.conditions):
        yield "conditions are not those of its raster"


def gate_problems(recorded: Sequence[Recorded], made: Sequence[Recorded]) -> Iterator[str]:
    """Yield every gate that is changed, missing, added or out of its place; numbers may differ in their last bits."""
    said, found = ({str(gate["name"]): gate for gate in gates} for gates in (recorded, made))
    yield from (f"gate {name!r} is not in the record" for name in found if name not in said)
    yield from (f"gate {name!r} is none of this stage's" for name in said if name not in found)
    for name in found:
        if name in said:
            yield from _changed(name, said[name], found[name])
    if not set(said) ^ set(found) and [str(gate["name"]) for gate in recorded] != list(found):
        yield "its gates are not each there once, in the order of the notebook"


def _changed(name: str, said: Recorded, found: Recorded) -> Iterator[str]:
    for field in sorted({*said, *found}):
        recorded, given = said.get(field), found.get(field)
        if not _same(recorded, given):
            yield f"gate {name!r} is recorded with {field} {_short(recorded)}, its artifacts give {_short(given)}"


def _same(recorded: Any, given: Any) -> bool:
    numbers = [isinstance(each, int | float) and not isinstance(each, bool) for each in (recorded, given)]
    if all(numbers):
        return math.isclose(recorded, given, rel_tol=TOLERANCE)
    return type(recorded) is type(given) and bool(recorded == given)


def _short(value: Any) -> str:
    return repr(value)[:200]
