"""Values with their origin, and the ledger of those that the paper shows.

A shown value is wrapped in three private characters with its number in the ledger, which every writer of the paper knows:
so nothing that a reader sees loses its source on the way through Markdown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from critnb.errors import PaperError
from critnb.report.words import p_words, told

OPEN, MIDDLE, CLOSE = "\ue000", "\ue001", "\ue002"
MARKED = re.compile(f"{OPEN}(\\d+){MIDDLE}([^{CLOSE}]*){CLOSE}")
TEXT, P_VALUE, WORDS = "text", "p", "words"
NOTHING = "–"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


class Kind(StrEnum):
    """What an origin points at."""

    CELL = "cell"  # one cell of a table: ``at`` is its row's key
    FOLD = "fold"  # a column of a table folded over the rows where ``at`` holds
    FIELD = "field"  # a field of a JSON file: ``column`` is its dotted path


@dataclass(frozen=True)
class Origin:
    """Where a value stands; ``run_id`` is empty for a file of the pack."""

    kind: Kind
    name: str
    column: str
    at: Mapping[str, Any] = field(default_factory=dict)
    fold: str = ""
    run_id: str = ""
    artifact: str = ""
    sha256: str = ""

    def words(self) -> str:
        """Return the origin as a reader sees it."""
        place = ", ".join(f"{key} = {value}" for key, value in self.at.items())
        fold = f"{self.fold} of " if self.fold else ""
        return " · ".join(part for part in (f"{fold}{self.column} in {self.name}", place, self.run_id) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them, the name as ``table``."""
        return {"table" if name == "name" else name: value for name, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Cell:
    """A value and its origin; comparisons and truth are those of its value."""

    value: Any
    origin: Origin

    def __eq__(self, other: object) -> bool:
        return bool(self.value == bare(other))

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: object) -> bool:
        return self.available and bool(self.value < bare(other))

    def __gt__(self, other: object) -> bool:
        return self.available and bool(self.value > bare(other))

    def __bool__(self) -> bool:
        return bool(self.value)

    @property
    def available(self) -> bool:
        """Whether there is a value; without one, every < and > is false."""
        return not (self.value is None or (isinstance(self.value, float) and math.isnan(self.value)))


def bare(value: Any) -> Any:
    """Return a cell's value, or the value itself where it is no cell."""
    return value.value if isinstance(value, Cell) else value


class Fragment(str):
    """Markdown that is ready to be printed."""

    __slots__ = ()


def escaped(text: str) -> Fragment:
    """Return words as Markdown that shows just them."""
    return Fragment(_SPECIAL.sub(r"\\\1", " ".join(text.split())))


def formatted(value: Any, spec: str) -> str:
    """Return a value as a format specification shows it: Python's own, TEXT, P_VALUE or WORDS; a true minus sign."""
    if spec == TEXT:
        return str(value)
    if spec == WORDS:
        return told(value)
    words = p_words(value) if spec == P_VALUE else format(value, spec)
    return words.replace("-", "−") if words.startswith("-") else words


@dataclass(frozen=True)
class ShownValue:
    """A value in the paper: where it stands there, how, and its cell."""

    section: str
    text: str
    spec: str
    cell: Cell

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {
            "section": self.section,
            "shown": self.text,
            "format": self.spec,
            "value": self.cell.value,
            "origin": self.cell.origin.as_dict(),
        }


@dataclass
class Ledger:
    """Everything that the paper shows from its evidence, in order; ``section`` is the template being filled."""

    entries: list[ShownValue] = field(default_factory=list)
    section: str = ""

    def show(self, cell: Any, spec: str) -> Fragment:
        """Return a cell's value as marked Markdown, and keep it; a dash for what is not available.

        Raises PaperError for what is no cell.
        """
        if not isinstance(cell, Cell):
            raise PaperError(f"{cell!r} is shown as a number but is no cell of a table; print what the evidence holds")
        if not cell.available:
            return Fragment(NOTHING)
        text = formatted(cell.value, spec)
        self.entries.append(ShownValue(self.section, text, spec, cell))
        return Fragment(f"{OPEN}{len(self.entries) - 1}{MIDDLE}{escaped(text)}{CLOSE}")

    def as_dict(self) -> list[dict[str, Any]]:
        """Return all entries as JSON has them; an entry's place is its number in the HTML."""
        return [entry.as_dict() for entry in self.entries]
