"""A comparison in lines and as JSON, as the command line prints it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from critnb.review.diff.runs import Change, Comparison
from critnb.review.diff.shared import Shared
from critnb.review.diff.values import Difference, Extreme, listed, short

_DIGEST = 64
_DIGITS_SHOWN = 12


def format_diff(comparison: Comparison) -> list[str]:
    """Return what differs, part by part, and one line that sums it up first."""
    parts = (
        ("params", _changes(comparison.params)),
        ("params of runs upstream", _changes(comparison.above)),
        ("code", [_source(change) for change in comparison.code]),
        ("model and data", _changes(comparison.content)),
        ("upstream runs", _changes(comparison.upstream)),
        ("environment", _changes(comparison.environment)),
        ("conditions", list(_conditions(comparison.conditions))),
        ("numbers", list(_numbers(comparison))),
        ("files", [f"only the {side} run has {path}" for path, side in comparison.unpaired]),
    )
    told_parts = [line for heading, lines in parts if lines for line in (heading, *(f"  {text}" for text in lines))]
    return [*_who(comparison), _sum(comparison), *told_parts]


def _who(comparison: Comparison) -> Iterator[str]:
    for side, run, model in zip(("first ", "second"), (comparison.old, comparison.new), comparison.models, strict=True):
        about = " ".join(filter(None, [run.inputs.who, model]))
        code = str((run.record.code or {}).get("git_commit") or "")[:_DIGITS_SHOWN]
        yield f"{side}  {run.run_id}  {about}  {run.record.created_utc}  code {code}".rstrip()


def _conditions(shared: Shared | None) -> Iterator[str]:
    if shared is None or shared.same:
        return
    yield f"{shared.old} against {shared.new}, {shared.both} of them the same; only these are compared"
    for side, only in (("first", shared.only_old), ("second", shared.only_new)):
        yield from (f"only the {side} has {field} {', '.join(values)}" for field, values in only.items())


def _sum(comparison: Comparison) -> str:
    if comparison.same_inputs and comparison.same_numbers and not (comparison.environment or comparison.views):
        return "identical: the same inputs, environment and numbers"
    inputs = "the same inputs" if comparison.same_inputs else "other inputs"
    machine = ", another environment" if comparison.environment else ""
    return f"{inputs}{machine}, {'the same numbers' if comparison.same_numbers else 'other numbers'}"


def _changes(changes: Sequence[Change]) -> list[str]:
    return [f"{change.key}: {_side(change.old)} -> {_side(change.new)}" for change in changes]


def _side(text: str | None) -> str:
    if text is None:
        return "absent"
    bare = text[1:-1] if text.startswith('"') else text
    is_digest = len(bare) == _DIGEST and all(letter in "0123456789abcdef" for letter in bare)
    return f"{bare[:_DIGITS_SHOWN]}…" if is_digest else short(bare, 200)


def _source(change: Change) -> str:
    return f"{change.key} {'added' if change.old is None else 'removed' if change.new is None else 'changed'}"


def _numbers(comparison: Comparison) -> Iterator[str]:
    for path, difference in comparison.numbers.items():
        if not difference.same:
            yield from _file(path, difference)
    equal = sum(difference.same for difference in comparison.numbers.values())
    if equal and not comparison.same_numbers:
        yield f"the same in {equal} of {len(comparison.numbers)} files"
    if comparison.views:
        why = "" if comparison.old.run_id == comparison.new.run_id else " (they name their run)"
        yield f"{comparison.views} figures, pages and copies in CSV have other bytes{why}"


def _file(path: str, difference: Difference) -> Iterator[str]:
    parts = f", in {listed(difference.parts)}" if difference.parts else ""
    yield f"{path}: {difference.differing} of {difference.values} values differ{parts}" if difference.values else path
    yield from (f"  {remark}" for remark in difference.remarks)
    if difference.absolute is not None:
        yield f"  largest difference {_extreme(difference.absolute)}"
    if difference.relative is not None:
        yield f"  largest relative difference {_extreme(difference.relative)}"
    if difference.without_size:
        yield f"  {difference.without_size} without a size (text, or NaN on one side), the first {difference.example}"


def _extreme(extreme: Extreme) -> str:
    return f"{extreme.size:.3g} ({extreme.old:.6g} -> {extreme.new:.6g}) in {extreme.where}"


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON takes it: every compared file, equal ones too; sizes that are infinite as None."""
    sides = zip(("old", "new"), (comparison.old, comparison.new), comparison.models, strict=True)
    parts = ("params", "above", "code", "content", "upstream", "environment")
    return {
        **{
            side: {"run_id": run.run_id, "path": str(run.path), "stage": str(run.stage), "role": run.inputs.who}
            | {"model": model, "created_utc": run.record.created_utc}
            for side, run, model in sides
        },
        "same_inputs": comparison.same_inputs,
        "same_numbers": comparison.same_numbers,
        **{part: [asdict(change) for change in getattr(comparison, part)] for part in parts},
        "conditions": None if comparison.conditions is None else _listed(asdict(comparison.conditions)),
        "numbers": {path: _listed(asdict(each)) for path, each in comparison.numbers.items()},
        "unpaired": [{"path": path, "only_in": side} for path, side in comparison.unpaired],
        "views": comparison.views,
    }


def _listed(value: Any) -> Any:
    """Tuples as lists, and numbers that JSON does not have as None."""
    if isinstance(value, Mapping):
        return {key: _listed(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_listed(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
