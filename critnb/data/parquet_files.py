"""Read rows of Parquet files, a batch at a time, with the place of whatever cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from critnb.data.hub import first_line
from critnb.data.records import named_fields
from critnb.errors import DataError, DependencyError

_BATCH_ROWS = 1024
Row = tuple[str, dict[str, Any]]


def parquet_rows(path: Path, fields: Sequence[str], where: str) -> Iterator[Row]:
    """Yield the place of every row of a Parquet file and what it says in ``fields``; ``where`` begins every message.

    Raises DataError where the file is no Parquet, lacks a field or has it twice, or holds other rows than its footer says;
    DependencyError where it cannot be opened.
    """
    import pyarrow.parquet as pq

    try:
        file = path.open("rb")
    except OSError as error:
        raise DependencyError(f"{where} cannot be read: {error.strerror}") from None
    with file:
        table = _sound(lambda: pq.ParquetFile(file), where)
        _check_fields(list(table.schema_arrow.names), fields, where)
        batches = table.iter_batches(_BATCH_ROWS, columns=[*fields])
        row = 0
        while (batch := _sound(lambda: next(batches, None), where)) is not None:
            for record in _records(batch, where, row):
                row += 1
                yield f"{where} row {row}", record
        if row != table.metadata.num_rows:
            raise DataError(f"{where} holds {row} rows where its footer says {table.metadata.num_rows}; write it again")


def _sound(read: Any, where: str) -> Any:
    import pyarrow as pa

    try:
        return read()
    except (pa.ArrowException, OSError, OverflowError) as error:
        raise DataError(f"{where} cannot be read as Parquet: {first_line(error)}") from None


def _check_fields(names: list[str], fields: Sequence[str], where: str) -> None:
    for field in fields:
        if field not in names:
            raise DataError(f"{where}: no field {field!r}; {named_fields(names)}")
        if names.count(field) > 1:
            raise DataError(f"{where}: {names.count(field)} columns are called {field!r}; give them names of their own")


def _records(batch: Any, where: str, above: int) -> list[dict[str, Any]]:
    """Return the rows of a batch; ``above`` rows stand before it."""
    try:
        return list(batch.to_pylist())
    except ValueError as error:
        for place in range(batch.num_rows):
            _readable(batch.slice(place, 1), f"{where} row {above + place + 1}")
        raise DataError(f"{where} cannot be read: {first_line(error)}") from None


def _readable(row: Any, where: str) -> None:
    try:
        row.to_pylist()
    except ValueError as error:
        # Arrow promises UTF-8 and does not look
        kind = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {first_line(error)}"
        raise DataError(f"{where}: the text {kind}; write the file again from the text") from None
