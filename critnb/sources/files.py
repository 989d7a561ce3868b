"""Read the documents of local files: plain text, JSON lines and Parquet, with the place of whatever cannot be read."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from critnb.canon import DatasetRole
from critnb.errors import DataError, DependencyError
from critnb.params import FileData, Loaded
from critnb.sources.hub import first_line


def file_documents(source: FileData, loaded: Loaded, role: DatasetRole) -> Iterator[str]:
    """Yield the documents of the files that a source names, in order; raises DependencyError or DataError with the place."""
    pattern = str(loaded.resolve(source.path))
    paths = matching_files(source.path, loaded)
    if not paths:
        raise DependencyError(
            f"data.{role}.path: no file matches {pattern}; give the path of a .txt, .jsonl or .parquet"
        )
    empty = True
    for path in paths:
        for document in _read_documents(path, source, role):
            empty = empty and not document.strip()
            yield document
    if empty:
        raise DataError(f"data.{role}: {pattern} holds no text; check the path and the field {source.field!r}")


def matching_files(path: str, loaded: Loaded) -> list[Path]:
    """Return the files that a path of the params names, a glob or not, in order."""
    literal = loaded.resolve(path)
    if literal.is_file():
        return [literal]
    # Path.glob takes no absolute pattern; a root of its own keeps the brackets of a folder's name from being one
    pattern = str(Path(path).expanduser())
    found = glob.glob(pattern, root_dir=loaded.base_dir, recursive=True)  # noqa: PTH207
    return [path for path in (loaded.base_dir / name for name in sorted(found)) if path.is_file()]


def _read_documents(path: Path, source: FileData, role: DatasetRole) -> Iterator[str]:
    match path.suffix.lower():
        case ".txt" | ".md":
            text = read_text(path, role)
            pieces = text.split(source.separator) if source.separator else [text]
            yield from (piece for piece in (piece.strip("\n") for piece in pieces) if piece)
        case ".jsonl":
            for number, line in enumerate(read_text(path, role).split("\n"), start=1):
                if line.strip() and (text := _json_field(line, source.field, f"data.{role}: {path} line {number}")):
                    yield text
        case ".parquet":
            yield from _parquet_field(path, source.field, role)
        case suffix:
            raise DataError(f"data.{role}: {path} is a {suffix or 'file without suffix'}; use .txt, .jsonl or .parquet")


def read_text(path: Path, role: DatasetRole) -> str:
    """Return the text of a UTF-8 file; raises DataError, or DependencyError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"data.{role}: {path} is not UTF-8 (byte {error.start}); convert it to UTF-8") from None
    except OSError as error:
        raise DependencyError(f"data.{role}: {path} cannot be read: {error.strerror}") from None


def _json_field(line: str, field: str, where: str) -> str:
    try:
        record: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg}") from None
    return _text(record.get(field) if isinstance(record, dict) else None, field, where)


def _text(value: Any, field: str, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{where}: no text in field {field!r}; set the data source's field")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell halves of surrogate pairs, which are no characters
        raise DataError(
            f"{where}: field {field!r} holds half of a surrogate pair at character {error.start}; repair the text"
        ) from None
    return value


def _parquet_field(path: Path, field: str, role: DatasetRole) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        column = pq.read_table(path, columns=[field]).column(field)
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise DataError(f"data.{role}: {path}: column {field!r} cannot be read: {first_line(error)}") from None
    for row, value in enumerate(column.to_pylist(), start=1):
        if value is not None and (text := _text(value, field, f"data.{role}: {path} row {row}")):
            yield text
