"""A params file and its overrides, read into ``Params``; every mistake becomes one line that names the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from critnb.canon import CANON, PACK_ROOT
from critnb.errors import ParamsError
from critnb.params.problems import one_line_each
from critnb.params.sections import Params
from critnb.params.strict_yaml import parse_yaml, read_yaml


@dataclass(frozen=True)
class Loaded:
    """Parameters with the file they came from; relative paths in them are meant from ``base_dir``."""

    params: Params
    origin: str
    base_dir: Path

    def resolve(self, path: str) -> Path:
        """Return a path of the parameters as an absolute one."""
        return (self.base_dir / Path(path).expanduser()).resolve()


def find(name: str | Path) -> Path:
    """Return the params file: a path from here or from the pack's root, a bare name also in params/; else ParamsError."""
    path = Path(name)
    is_bare = path.name == str(name)
    candidates = [path, PACK_ROOT / CANON.PATH.PARAMS_DIR / path if is_bare else PACK_ROOT / path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    places = " or ".join(dict.fromkeys(str(candidate.parent.resolve()) for candidate in candidates))
    raise ParamsError(f"params file {str(name)!r} not found in {places}; give its path with --params FILE")


def load(name: str | Path, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read a params file and apply ``overrides`` (dotted key -> value); raises ParamsError with one line a mistake."""
    path = find(name)
    tree = read_yaml(path)
    for key, value in (overrides or {}).items():
        _put(tree, key, value)
    return Loaded(validate(tree, origin=path.name), path.name, path.parent)


def validate(tree: Mapping[str, Any], *, origin: str) -> Params:
    """Return ``Params`` from plain values, CANON references resolved; raises ParamsError naming ``origin`` and the key."""
    try:
        return Params.model_validate(_resolve_references(tree, origin))
    except ValidationError as error:
        raise ParamsError(one_line_each(error, origin)) from None
    except RecursionError:
        raise ParamsError(f"{origin}: a value holds itself through a YAML alias; write it out") from None


def parse_override(text: str) -> tuple[str, Any]:
    """Parse ``a.b=value`` (the value is YAML) into its dotted key and value; raises ParamsError for another form."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ParamsError(f"--set {text!r}: write it as section.key=value")
    return key.strip(), parse_yaml(value, origin=f"--set {text}")


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            raise ParamsError(f"--set {dotted}: {part} is a value, not a section")
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
            raise ParamsError(f"{origin}: {value} is not in the registry spec/00_CANONICAL.yaml") from None
        return list(found) if isinstance(found, tuple) else found
    return value
