"""A comparison in lines, as the command line prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from critnb.review.diff.runs import Change, Comparison
from critnb.review.diff.values import Difference, Extreme, listed, short
from critnb.runs import Run

_DIGEST = 64
_DIGITS_SHOWN = 12


def format_diff(comparison: Comparison) -> list[str]:
    """Return what differs, part by part, and one line that sums it up first."""
    parts = (
        ("params", _changes(comparison.params)),
        ("code", [_source(change) for change in comparison.code]),
        ("model and data", _changes(comparison.content)),
        ("upstream runs", _changes(comparison.upstream)),
        ("environment", _changes(comparison.environment)),
        ("numbers", list(_numbers(comparison))),
        ("files", [f"only the {side} run has {path}" for path, side in comparison.unpaired]),
    )
    told_parts = [line for heading, lines in parts if lines for line in (heading, *(f"  {text}" for text in lines))]
    return [_who("first ", comparison.old), _who("second", comparison.new), _sum(comparison), *told_parts]


def _who(side: str, run: Run) -> str:
    code = run.record.code or {}
    return f"{side}  {run.run_id}  {run.record.created_utc}  code {str(code.get('git_commit') or '')[:_DIGITS_SHOWN]}".rstrip()


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
