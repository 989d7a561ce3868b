"""Check a data frame against its schema: each violation is a DataError of one line that names table, column and value."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from critnb.errors import DataError
from critnb.report.schema.model import Column, DType, Range, TableSchema

_SHOWN = 5
# a column of these dtypes is what its schema says already
_EXACT = {dtype: pd.Series([], dtype=dtype.value).dtype for dtype in DType}


def conform(frame: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """Return the frame with the schema's column order and dtypes and a fresh index; absent optional columns stay out.

    Raises DataError for a missing, unknown or duplicate column, a value that its dtype cannot hold without loss, a
    value that is not allowed, a duplicate key, and a combination of key values that has no row.
    """
    _check_columns(frame, schema)
    present = [column for column in schema.columns if column.name in frame.columns]
    frame = frame.reset_index(drop=True)
    conformed = pd.DataFrame({column.name: _cast(frame[column.name], column, schema) for column in present})
    for column in present:
        _check_allowed(conformed[column.name], column, schema)
    _check_key(conformed, schema)
    return conformed


def _listed(values: Sequence[Any]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(str(value) for value in values[:_SHOWN]) + more


def _check_columns(frame: pd.DataFrame, schema: TableSchema) -> None:
    names = [str(name) for name in frame.columns]
    problems = {
        "missing": [name for name in schema.required if name not in names],
        "unknown": [name for name in names if name not in schema.by_name],
        "duplicate": sorted({name for name in names if names.count(name) > 1}),
    }
    for kind, found in problems.items():
        if found:
            raise DataError(f"{schema.name}: {kind} column {_listed(found)}; spec/18 lists the columns")


def _cast(values: pd.Series[Any], column: Column, schema: TableSchema) -> pd.Series[Any]:
    if column.dtype is not DType.FLOAT and values.isna().any():
        row = int(np.flatnonzero(values.isna())[0])
        raise DataError(
            f"{schema.name}: column {column.name} has no value in row {row}; {column.dtype.value} needs one"
        )
    try:
        return _lossless(values, column.dtype)
    except (TypeError, ValueError, OverflowError) as error:
        shown = " ".join(str(error).split())
        raise DataError(f"{schema.name}: column {column.name} cannot be {column.dtype.value}: {shown}") from error


def _lossless(values: pd.Series[Any], dtype: DType) -> pd.Series[Any]:
    if values.dtype == _EXACT[dtype]:
        return values
    if dtype is DType.TEXT:
        return _texts(values)
    if dtype is DType.BOOL:
        return _booleans(values)
    if pd.api.types.is_string_dtype(values.dtype) and len(values):
        raise ValueError(f"it holds text, e.g. {values.iloc[0]!r}")
    cast = values.astype(dtype.value)
    if dtype is DType.INT and not (cast == values).all():
        raise ValueError(f"{values[cast != values].iloc[0]} is not a whole number")
    return cast


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    other = [value for value in values if not isinstance(value, str)]
    if other:
        raise ValueError(f"{other[0]!r} is not text")
    return pd.Series([str(value) for value in values], dtype=DType.TEXT.value)


def _booleans(values: pd.Series[Any]) -> pd.Series[Any]:
    other = [value for value in values if not isinstance(value, bool | np.bool_)]
    if other:
        raise ValueError(f"{other[0]!r} is not true or false")
    return values.astype(DType.BOOL.value)


def _check_allowed(values: pd.Series[Any], column: Column, schema: TableSchema) -> None:
    if isinstance(column.allowed, Range):
        numbers = values.to_numpy()
        wrong = values[(numbers < column.allowed.low) | (numbers > column.allowed.high)]
        expected = str(column.allowed)
    elif isinstance(column.allowed, type) and issubclass(column.allowed, StrEnum):
        wrong = values[~values.isin([str(member) for member in column.allowed])]
        expected = "one of " + ", ".join(column.allowed)
    else:
        return
    if len(wrong):
        raise DataError(f"{schema.name}: column {column.name} holds {wrong.iloc[0]!r}, allowed is {expected}")


def _check_key(frame: pd.DataFrame, schema: TableSchema) -> None:
    keys = frame[list(schema.key)]
    repeated = keys[keys.duplicated()]
    if len(repeated):
        raise DataError(f"{schema.name}: two rows have the key {_key_text(repeated.iloc[0])}")
    spanned = list(schema.complete)
    levels = [sorted(keys[name].unique()) for name in spanned]
    grid = pd.MultiIndex.from_product(levels, names=spanned)
    absent = grid.difference(pd.MultiIndex.from_frame(keys[spanned]))
    if len(absent):
        first = pd.Series(dict(zip(spanned, absent[0], strict=True)))
        raise DataError(f"{schema.name}: {len(absent)} rows of the grid are missing, the first is {_key_text(first)}")


def _key_text(key: pd.Series[Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.items())
