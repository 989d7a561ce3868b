"""A params file and its overrides, read into ``Params``; every mistake becomes one line that names the key."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from critnb.canon import CANON, PACK_ROOT, WORK_DIR
from critnb.errors import DependencyError, ParamsError
from critnb.params.problems import one_line_each
from critnb.params.sections import Params
from critnb.params.strict_yaml import Place, dotted, parse_yaml, read_yaml
from critnb.system.paths import absolute, kind
from critnb.system.terminal import plain

# the section of a params file that names what a sweep runs over
SWEEP = "sweep"
_SHOWN = 60


@dataclass(frozen=True)
class Loaded:
    """Parameters with the file they came from; relative paths in them are meant from ``base_dir``."""

    params: Params
    origin: str
    base_dir: Path

    def resolve(self, path: str) -> Path:
        """Return a path of the parameters as an absolute one; raises the errors of ``absolute``, which name its key."""
        return absolute(path, base=self.base_dir, what=self._key_of(path), unreachable=DependencyError)

    def _key_of(self, path: str) -> str:
        sections = self.params.sections()
        sources = {f"{name}.{key}": source for name in ("models", "data") for key, source in sections[name].items()}
        return next((f"{key}.path" for key, source in sources.items() if source.get("path") == path), "path")


def find(name: str | Path) -> Path:
    """Return the params file: a path from here, else from the working folder, else from the pack's root.

    A bare name is also looked for in params/ of these. Raises ParamsError where there is none.
    """
    path = Path(name)
    beside = Path(CANON.PATH.PARAMS_DIR, path) if path.name == str(name) else path
    candidates = [path, *(root / beside for root in dict.fromkeys((WORK_DIR, PACK_ROOT)))]
    found = [
        absolute(candidate, what="--params", any_bytes=True) for candidate in candidates if kind(candidate) == "file"
    ]
    if found:
        return found[0]
    shown = f"params file {plain(repr(str(name)), 2 * _SHOWN)}"
    if what := kind(path):
        raise ParamsError(f"{shown} is {what}, not a file; give its path with --params FILE")
    places = " or ".join(
        dict.fromkeys(str(absolute(each, what="--params", any_bytes=True).parent) for each in candidates)
    )
    others = sorted({each.name for candidate in candidates for each in candidate.parent.glob("*.y*ml")})
    meant = get_close_matches(path.name, others, n=1)
    advice = f"did you mean {plain(meant[0], _SHOWN)}?" if meant else "give its path with --params FILE"
    raise ParamsError(f"{shown} not found in {places}; {advice}")


def load(
    name: str | Path, overrides: Mapping[str, Any] | None = None, *, given_by: Mapping[str, str] | None = None
) -> Loaded:
    """Read a params file and apply ``overrides`` (dotted key -> value); raises ParamsError with one line per mistake.

    ``given_by`` says what gave the override of a key, to be named where it is mistaken; ``--set`` if it does not say. A section
    ``sweep`` of the file is for ``read_sweep``.
    """
    path = find(name)
    document = read_yaml(path)
    document.value.pop(SWEEP, None)
    blamed = {key: (given_by or {}).get(key, "--set") for key in overrides or {}}
    for key, value in (overrides or {}).items():
        _put(document.value, key, copy.deepcopy(value), blamed[key])
    overridden: dict[Place, str] = {tuple(key.split(".")): blame for key, blame in blamed.items()}
    lines = {
        place: line
        for place, line in document.lines.items()
        if not any(place[:n] in overridden for n in range(1, len(place) + 1))
    }
    origin = plain(path.name)
    return Loaded(validate(document.value, origin=origin, lines=lines, overridden=overridden), origin, path.parent)


def validate(
    tree: Mapping[str, Any],
    *,
    origin: str,
    lines: Mapping[Place, int] | None = None,
    overridden: Mapping[Place, str] | None = None,
) -> Params:
    """Return ``Params`` from plain values, CANON references resolved; raises ParamsError naming ``origin`` and the key.

    ``lines`` are those of the file that the values come from, where they come from one; ``overridden`` names another origin
    of the values at a place.
    """
    try:
        return Params.model_validate(_resolve_references(tree, origin))
    except ValidationError as error:
        raise ParamsError(one_line_each(error, origin, lines or {}, overridden)) from None
    except RecursionError:
        raise ParamsError(f"{origin}: a value holds itself, or too many levels; write it out") from None


def parse_override(text: str) -> tuple[str, Any]:
    """Parse ``a.b=value`` (the value is YAML) into its dotted key and value; raises ParamsError for another form."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ParamsError(f"--set {plain(repr(text), _SHOWN)}: write it as section.key=value")
    return key.strip(), parse_yaml(value, origin=f"--set {plain(text, _SHOWN)}")


def _put(tree: dict[str, Any], key: str, value: Any, blame: str) -> None:
    *parents, last = key.split(".")
    for part in parents:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            raise ParamsError(f"{blame} {dotted((key,))}: {dotted((part,))} is a value, not a section")
        tree = child
    tree[last] = value


def _resolve_references(value: Any, origin: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolve_references(item, origin) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve_references(item, origin) for item in value]
    if isinstance(value, str) and value.startswith("CANON."):
        try:
            found = CANON.lookup(value)
        except KeyError:
            shown = plain(value, _SHOWN)
            raise ParamsError(f"{origin}: {shown} is not in the registry spec/00_CANONICAL.yaml") from None
        return list(found) if isinstance(found, tuple) else found
    return value
