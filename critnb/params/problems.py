"""What pydantic finds wrong with a params file, in one line a mistake that names the key as the user wrote it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

_SOURCES = ("embedded", "file", "hub")
_TAG_PLACE = 2


def one_line_each(error: ValidationError, origin: str, at_most: int = 2) -> str:
    """Return the first mistakes as lines ``origin: key: problem``, and how many more there are."""
    problems = error.errors(include_url=False)
    lines = [f"{origin}: {_key(problem['loc'])}: {_problem(problem)}" for problem in problems[:at_most]]
    if len(problems) > at_most:
        lines[-1] += f" (and {len(problems) - at_most} more)"
    return "\n".join(lines)


def _key(location: tuple[int | str, ...]) -> str:
    # pydantic puts the discriminator's value behind the role of a model or data set; the user wrote no such key
    parts = [
        str(part)
        for place, part in enumerate(location)
        if part != "[key]" and not (place == _TAG_PLACE and part in _SOURCES)
    ]
    return ".".join(parts) or "top level"


def _problem(problem: Any) -> str:
    given = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "is required"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "union_tag_not_found" | "union_tag_invalid":
            return f"needs a source: one of {', '.join(_SOURCES)}"
    shown = repr(given) if len(repr(given)) <= 60 else f"a {type(given).__name__}"
    return f"{problem['msg'][0].lower()}{problem['msg'][1:]}, found {shown}"
