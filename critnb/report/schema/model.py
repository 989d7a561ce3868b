"""What a table is: named columns with dtype, unit, meaning and allowed values, and what one row stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, StrEnum


class DType(Enum):
    """The four dtypes of the pack's tables, by their pandas name; only FLOAT can hold a missing value (NaN)."""

    TEXT = "str"
    INT = "int64"
    FLOAT = "float64"
    BOOL = "bool"


@dataclass(frozen=True)
class Range:
    """Closed interval of allowed numbers; NaN, the mark of a value that is not available, lies in every range."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"≥ {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


Allowed = type[StrEnum] | Range


@dataclass(frozen=True)
class Column:
    """One column; one whose name begins with ``opt_`` may be absent, any other may not."""

    name: str
    dtype: DType
    unit: str
    meaning: str
    allowed: Allowed | None = None

    @property
    def optional(self) -> bool:
        """Whether a table may lack the column."""
        return self.name.startswith("opt_")


@dataclass(frozen=True)
class TableSchema:
    """A table's contract: its rows' meaning, its key (distinct) and its columns in order.

    ``complete`` are the key columns whose levels must all occur together, the whole key if not given. ``name`` is the
    registry's file stem; ``appendix`` says in which folder the files lie.
    """

    name: str
    rows: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    appendix: bool = False
    complete: tuple[str, ...] = ()
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {column.name: column for column in self.columns}
        if len(named) != len(self.columns) or not set(self.key) <= set(named):
            raise ValueError(f"{self.name}: column names must be distinct and include the key {self.key}")
        object.__setattr__(self, "complete", self.complete or self.key)
        object.__setattr__(self, "by_name", named)

    @property
    def required(self) -> tuple[str, ...]:
        """Return the names of the columns that every such table has."""
        return tuple(column.name for column in self.columns if not column.optional)

    @property
    def units(self) -> dict[str, str]:
        """Return each column's unit, for those who show the table."""
        return {column.name: column.unit for column in self.columns if column.unit != "-"}
