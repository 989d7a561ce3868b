"""Tables with their sources: which run and file a cell stands in, so that whoever uses it can say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Row:
    """Cells of one row of a table, the row's key, and where the table lies."""

    table: str
    run_id: str
    artifact: str
    sha256: str
    key: Mapping[str, Any]
    values: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Sourced:
    """A frame, the columns that name its rows, and the file of a run that it is the content of."""

    table: str
    frame: pd.DataFrame
    key: tuple[str, ...]
    run_id: str
    artifact: str
    sha256: str

    def where(self, **wanted: Any) -> pd.DataFrame:
        """Return the rows whose cells equal ``wanted``; raises KeyError for a column that the table lacks."""
        return self.frame[self.matching(wanted)]

    def matching(self, wanted: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Return which rows' cells equal ``wanted``, without the rows; raises KeyError for a column that the table lacks."""
        chosen = np.ones(len(self.frame), dtype=np.bool_)
        for column, value in wanted.items():
            chosen &= (self.frame[column] == value).to_numpy(dtype=np.bool_)
        return chosen

    def cells(self, place: Any, columns: Iterable[str]) -> dict[str, Any]:
        """Return the named cells of the row with that index label, as JSON has them."""
        # cell by cell: a whole row of many types is made anew for each
        return {name: plain(self.frame.at[place, name]) for name in columns}

    def row(self, place: Any, *columns: str) -> Row:
        """Return the named cells of the row with that index label."""
        key, values = self.cells(place, self.key), self.cells(place, columns)
        return Row(self.table, self.run_id, self.artifact, self.sha256, key, values)

    def rows(self, frame: pd.DataFrame, *columns: str) -> tuple[Row, ...]:
        """Return the named cells of each row of a part of the table."""
        return tuple(self.row(place, *columns) for place in frame.index)


def plain(value: Any) -> Any:
    """Return a cell as JSON has it: Python's own types, None for NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
