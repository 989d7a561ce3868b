"""Libraries that only some uses of the pack need: the extra that installs them, and a refusal where they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from critnb.errors import DependencyError


@dataclass(frozen=True)
class Extra:
    """An extra of pyproject.toml: its name, the libraries that it installs, and what they do."""

    name: str
    libraries: tuple[str, ...]
    does: str

    def is_there(self) -> bool:
        """Tell whether its libraries are installed."""
        return not self._missing()

    def require(self, user: str) -> None:
        """Raise DependencyError, which begins with ``user``, where a library of the extra is not installed."""
        missing = self._missing()
        if missing:
            are = "is" if len(missing) == 1 else "are"
            raise DependencyError(
                f"{user} {self.does} with {' and '.join(missing)}, which {are} not installed; "
                f"pip install 'critnb[{self.name}]'"
            )

    def _missing(self) -> list[str]:
        return [library for library in self.libraries if find_spec(library) is None]


PAPER = Extra("paper", ("typst",), "writes a PDF")
HUB = Extra("hub", ("datasets",), "reads a data set of the hub")
CLUSTER = Extra("cluster", ("distributed",), "runs shards on workers")
LARGE = Extra("large", ("accelerate",), "divides a model among devices")
EXPLORE = Extra("explore", ("anywidget", "ipywidgets"), "shows widgets")
