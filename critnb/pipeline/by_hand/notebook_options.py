"""What the ``overrides`` of a notebook say: params of the run, and how it is to be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from critnb.canon import ModelRole
from critnb.errors import ParamsError
from critnb.params import Params
from critnb.runs import runs_folder

_WORDS = ("role", "runs_dir", "strict", "verbose")


@dataclass(frozen=True)
class Wishes:
    """The overrides of params, and the command line's options under the names that they have as Python words."""

    overrides: Mapping[str, Any]
    role: ModelRole | None = None
    runs_dir: Path = field(default_factory=runs_folder)
    strict: bool = False
    verbose: bool = False  # whether the pack's own errors show their traceback

    @classmethod
    def of(cls, overrides: Mapping[str, Any]) -> Wishes:
        """Return what a notebook's ``overrides`` ask for; raises ParamsError for an option that cannot be used."""
        options = {word: overrides[word] for word in _WORDS if overrides.get(word) is not None}
        for word, kind in (("role", str), ("runs_dir", str | Path), ("strict", bool), ("verbose", bool)):
            if word in options and not isinstance(options[word], kind):
                raise ParamsError(f"overrides: {word}: {options[word]!r} cannot be used; leave it out for the default")
        if "role" in options:
            options["role"] = _role(options["role"])
        if "runs_dir" in options:
            options["runs_dir"] = runs_folder(options["runs_dir"])
        return cls({key: value for key, value in overrides.items() if key not in _WORDS}, **options)

    def roles(self, params: Params) -> list[ModelRole]:
        """Return the role to run: the one asked for, else the first of the params."""
        given = [role for role in ModelRole if role in params.models]
        return [self.role] if self.role else given[:1]


def _role(name: str) -> ModelRole:
    if name not in list(ModelRole):
        raise ParamsError(f"overrides: role: {name!r} is none; use one of {', '.join(ModelRole)}")
    return ModelRole(name)
