"""Conditions, the axis C of every raster, and the table that gives them their ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields, replace
from typing import Self

import numpy as np
import pandas as pd

from critnb.canon import DatasetRole, Intervention, ModelRole, NullId, SpikeDef
from critnb.errors import DataError

COND_ID = "cond_id"


@dataclass(frozen=True)
class Condition:
    """One condition: whose events, defined and thresholded how, under which gain, intervention and null."""

    model_role: ModelRole
    dataset_role: DatasetRole
    spike_def_id: SpikeDef
    target_rate: float
    gain: float
    intervention_id: Intervention
    null_id: NullId = NullId.NULL_NONE

    def __post_init__(self) -> None:
        # A numpy float or an int would compare equal to a float and yet print, and so be keyed, differently.
        object.__setattr__(self, "target_rate", float(self.target_rate))
        object.__setattr__(self, "gain", float(self.gain))

    def key(self) -> bytes:
        """Return the canonical text of the condition, the same on every machine, in which random streams are rooted."""
        return json.dumps(astuple(self), separators=(",", ":")).encode("ascii")

    def with_null(self, null_id: NullId) -> Condition:
        """Return the same condition under another null."""
        return replace(self, null_id=null_id)


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Condition))
_ENUM_FIELDS = {
    "model_role": ModelRole,
    "dataset_role": DatasetRole,
    "spike_def_id": SpikeDef,
    "intervention_id": Intervention,
    "null_id": NullId,
}


class ConditionTable:
    """An immutable sequence of distinct conditions; a condition's position is its ``cond_id``."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        """Number the conditions from zero in the order given; raises DataError where one is given twice."""
        self._conditions = tuple(conditions)
        self._index = {condition: cond_id for cond_id, condition in enumerate(self._conditions)}
        if len(self._index) != len(self._conditions):
            twice = next(c for i, c in enumerate(self._conditions) if self._index[c] != i)
            raise DataError(f"conditions: {twice.key().decode()} stands in the table twice; give each condition once")

    def __len__(self) -> int:
        return len(self._conditions)

    def __iter__(self) -> Iterator[Condition]:
        return iter(self._conditions)

    def __getitem__(self, cond_id: int) -> Condition:
        return self._conditions[cond_id]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConditionTable) and self._conditions == other._conditions

    def __hash__(self) -> int:
        return hash(self._conditions)

    def __repr__(self) -> str:
        return f"ConditionTable({len(self)} conditions)"

    def index(self, condition: Condition) -> int:
        """Return a condition's id; raises DataError where the table does not hold it."""
        try:
            return self._index[condition]
        except KeyError:
            raise DataError(f"conditions: {condition.key().decode()} is not one of the table's {len(self)}") from None

    def where(self, **wanted: object) -> list[int]:
        """Return, ascending, the ids of the conditions whose named fields equal the values given.

        Raises:
            TypeError: a name is no field of Condition.
        """
        if unknown := sorted(wanted.keys() - set(FIELDS)):
            raise TypeError(f"a condition has no field {', '.join(unknown)}; its fields are {', '.join(FIELDS)}")
        return [i for i, c in enumerate(self) if all(getattr(c, name) == value for name, value in wanted.items())]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per condition: cond_id int32 and the seven fields (text and float64)."""
        columns: dict[str, object] = {COND_ID: np.arange(len(self), dtype=np.int32)}
        for name in FIELDS:
            values = [getattr(condition, name) for condition in self]
            columns[name] = (
                pd.array([str(value) for value in values], dtype="str")
                if name in _ENUM_FIELDS
                else np.array(values, dtype=np.float64)
            )
        return pd.DataFrame(columns)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Return the table that ``to_frame`` wrote; further columns are left aside.

        Raises:
            DataError: a column is missing, an id is unknown, or cond_id is not 0, 1, 2, ... in this order.
        """
        if missing := [name for name in (COND_ID, *FIELDS) if name not in frame.columns]:
            raise DataError(f"condition table: column {missing[0]} is missing")
        if not np.array_equal(frame[COND_ID].to_numpy(), np.arange(len(frame))):
            raise DataError(f"condition table: {COND_ID} must count 0 to {len(frame) - 1} in order")
        rows = zip(*(frame[name] for name in FIELDS), strict=True)
        return cls(_condition(dict(zip(FIELDS, row, strict=True))) for row in rows)


def _condition(row: dict[str, object]) -> Condition:
    try:
        return Condition(**{name: _ENUM_FIELDS.get(name, float)(value) for name, value in row.items()})  # type: ignore[arg-type]
    except ValueError as error:
        raise DataError(f"condition table: {error}") from None
