"""What pydantic finds wrong with a params file, in one line per mistake that names the key as the user wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from critnb.params.core_schema import named
from critnb.params.sections import Params
from critnb.params.strict_yaml import Place, dotted
from critnb.system.terminal import plain

_SOURCES = ("embedded", "file", "hub")
_TAG_PLACE = 2
_AS_YAML = {None: "null", True: "true", False: "false"}


def one_line_each(
    error: ValidationError,
    origin: str,
    lines: Mapping[Place, int],
    overridden: Mapping[Place, str] | None = None,
    at_most: int = 2,
) -> str:
    """Return the first mistakes as lines ``origin: line N: key: problem``, and how many more there are.

    ``lines`` holds the line of every place in a file; a place without one has no line in its message. ``overridden`` holds what
    to blame instead of ``origin`` for a place, and for all below it, that another source than the file has set.
    """
    problems = error.errors(include_url=False)
    shown = [_line(problem, origin, lines, overridden or {}) for problem in problems[:at_most]]
    if len(problems) > at_most:
        shown[-1] += f" (and {len(problems) - at_most} more)"
    return "\n".join(shown)


def _line(problem: Any, origin: str, lines: Mapping[Place, int], overridden: Mapping[Place, str]) -> str:
    place = _place(problem["loc"])
    origin = next((overridden[place[:n]] for n in range(len(place), 0, -1) if place[:n] in overridden), origin)
    # a missing key has no line of its own, so the line of its section is given
    line = lines.get(place[:-1] if problem["type"] == "missing" else place)
    where = f" line {line}:" if line else ""
    return f"{origin}:{where} {dotted(place) or 'top level'}: {_problem(problem, place)}"


def _place(location: Place) -> Place:
    # pydantic puts the discriminator's value behind the role of a model or data set; the user wrote no such key
    return tuple(
        part
        for position, part in enumerate(location)
        if part != "[key]" and not (position == _TAG_PLACE and part in _SOURCES)
    )


def _problem(problem: Any, place: Place) -> str:
    given = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            meant = get_close_matches(str(place[-1]), known_keys(place[:-1]), n=1)
            return f"unknown key; did you mean {meant[0]}?" if meant else "unknown key"
        case "missing":
            return "is required"
        case "value_error":
            return plain(problem["ctx"]["error"])
        case "union_tag_not_found" | "union_tag_invalid":
            return f"needs a source: one of {', '.join(_SOURCES)}"
        case "string_type":
            return f"must be text, found {_shown(given)}; put text in quotes"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be a mapping of keys, found {_shown(given)}"
    message = plain(problem["msg"], 300)
    return f"{message[0].lower()}{message[1:]}, found {_shown(given)}"


def known_keys(section: Place) -> list[str]:
    """Return the keys that a section can have, of whatever source it is."""
    schema = Params.model_json_schema()

    def resolved(node: Any) -> Iterator[Any]:
        if reference := node.get("$ref"):
            yield from resolved(schema["$defs"][reference.rpartition("/")[2]])
        yield node
        for each in (*node.get("oneOf", ()), *node.get("anyOf", ())):
            yield from resolved(each)

    nodes = list(resolved(schema))
    for part in section:
        below = [(node.get("properties", {}).get(part), node.get("additionalProperties")) for node in nodes]
        nodes = [found for pair in below for each in pair if isinstance(each, dict) for found in resolved(each)]
    return sorted({key for node in nodes for key in node.get("properties", ())})


def _shown(given: Any) -> str:
    if given is None or isinstance(given, bool):
        return _AS_YAML[given]
    if isinstance(given, dict | list):
        return named(given)
    shown = plain(repr(given))
    return shown if len(shown) <= 60 else f"a {type(given).__name__}"
