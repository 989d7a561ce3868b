"""Parameters as a stage may see them: only the keys that its row in the stage table declares.

A run's hash covers exactly the declared keys. Reading another one would let a result depend on something that its
identity ignores, so it is an error here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from critnb.params import Params


class UndeclaredError(AttributeError):
    """A stage reads a parameter that its row in critnb/contract/ does not declare."""


def project(sections: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return the part of nested ``sections`` that the dotted ``keys`` name; raises KeyError for a key that is not there."""
    chosen: dict[str, Any] = {}
    for key in sorted(keys):
        source: Any = sections
        target = chosen
        *parents, last = key.split(".")
        for part in parents:
            source, target = source[part], target.setdefault(part, {})
        target[last] = source[last]
    return chosen


def declared(params: Params, keys: Iterable[str], stage: str) -> Params:
    """Return a view of ``params`` on which reading an undeclared key raises UndeclaredError."""
    return cast(Params, _View(params, "", frozenset(keys), stage))


class _View:
    def __init__(self, value: Any, path: str, keys: frozenset[str], stage: str) -> None:
        self._value, self._path, self._keys, self._stage = value, path, keys, stage

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = f"{self._path}.{name}" if self._path else name
        if path in self._keys:
            return getattr(self._value, name)
        if any(key.startswith(f"{path}.") for key in self._keys):
            return _View(getattr(self._value, name), path, self._keys, self._stage)
        raise UndeclaredError(f"stage {self._stage} reads {path}, which its row in critnb/contract/ does not declare")
