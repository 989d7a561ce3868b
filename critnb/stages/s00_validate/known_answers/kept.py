"""Known answers as arrays and back, value for value: the form in which the runs of a folder share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from critnb.criticality.multistep import Multistep
from critnb.criticality.synthetic import Runs
from critnb.stages.s00_validate.known_answers.table import KnownAnswers

Arrays = Mapping[str, np.ndarray[Any, Any]]
_TABLE, _CLUSTERS, _RUNS, _SUBSAMPLED, _ERRORS = "table", "clusters", "runs", "subsampled", "errors"


def to_arrays(answers: KnownAnswers) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays that ``from_arrays`` makes the same known answers of."""
    arrays = {f"{_TABLE}/{name}": _plain(column) for name, column in answers.table.items()}
    arrays |= {f"{_CLUSTERS}/{name}": _plain(column) for name, column in answers.clusters.items()}
    arrays |= {f"{_RUNS}/{name}": array for name, array in answers.runs._asdict().items()}
    for place, (fit, errors) in enumerate(answers.subsampled.values()):
        arrays |= {f"{place}/{each.name}": np.asarray(getattr(fit, each.name)) for each in fields(Multistep)}
        arrays[f"{place}/{_ERRORS}"] = errors
    arrays[_SUBSAMPLED] = np.array(list(answers.subsampled))
    return arrays


def from_arrays(arrays: Arrays) -> KnownAnswers:
    """Return the known answers; raises KeyError where an array is missing."""
    regressions = {}
    for place, (m, p) in enumerate(arrays[_SUBSAMPLED].tolist()):
        values = {each.name: _value(arrays[f"{place}/{each.name}"]) for each in fields(Multistep)}
        regressions[m, p] = Multistep(**values), arrays[f"{place}/{_ERRORS}"]
    runs = Runs(**{name: arrays[f"{_RUNS}/{name}"] for name in Runs._fields})
    return KnownAnswers(_frame(arrays, _TABLE), _frame(arrays, _CLUSTERS), runs, regressions)


def _value(array: np.ndarray[Any, Any]) -> Any:
    return array if array.ndim else array.item()


def _plain(column: pd.Series) -> np.ndarray[Any, Any]:
    return column.to_numpy() if column.dtype.kind in "iufb" else np.array(column.tolist(), dtype=np.str_)


def _frame(arrays: Arrays, of: str) -> pd.DataFrame:
    columns = {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{of}/")}
    return pd.DataFrame({name: each.tolist() if each.dtype.kind == "U" else each for name, each in columns.items()})
