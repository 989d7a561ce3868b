"""Read the documents of local files: plain text, JSON lines and Parquet, with the place of whatever cannot be read."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from critnb.canon import DatasetRole
from critnb.data.file_patterns import matching_files
from critnb.data.parquet_files import parquet_rows
from critnb.data.records import BYTE_ORDER_MARK, field_of, parse_json
from critnb.errors import DataError, DependencyError
from critnb.params import FileData, Loaded

Placed = tuple[str, Any]
# the longer ones first: UTF-32 begins with the mark of UTF-16
_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_PROBED_BYTES = 4096


def file_values(source: FileData, loaded: Loaded, role: DatasetRole) -> Iterator[Placed]:
    """Yield the place and the value of every document of the files that a source names, in order, values unchecked.

    Raises DependencyError where a file cannot be had, DataError where it cannot be read as what its name says.
    """
    for path in matching_files(source.path, loaded, f"data.{role}.path"):
        where = f"data.{role}: {path}"
        match suffix_of(path):
            case ".txt" | ".md":
                pieces = _pieces(read_text(path, where), source.separator)
                yield from ((f"{where} document {number}", piece) for number, piece in enumerate(pieces, start=1))
            case ".jsonl":
                for place, record in json_lines(path, where):
                    yield place, field_of(record, source.field, place)
            case ".parquet":
                for place, record in parquet_rows(path, [source.field], where):
                    yield place, record[source.field]
            case suffix:
                raise DataError(f"{where} is a {suffix or 'file without suffix'}; use .txt, .jsonl or .parquet")


def suffix_of(path: Path) -> str:
    """Return the suffix that says how a file is read, that of its target where a link has none."""
    return (path.suffix or path.resolve().suffix).lower()


def _pieces(text: str, separator: str | None) -> Iterator[str]:
    # text is read with \n for every end of a line, so a separator must be, too
    ends = separator.replace("\r\n", "\n").replace("\r", "\n") if separator else None
    for piece in text.split(ends) if ends else [text]:
        yield piece.strip("\n")


def json_lines(path: Path, where: str) -> Iterator[Placed]:
    """Yield the place and the content of every line of a file of JSON lines; blank lines are none. Raises as ``read_text``."""
    for number, line in enumerate(read_text(path, where).split("\n"), start=1):
        place = f"{where} line {number}"
        if line.strip(f"{BYTE_ORDER_MARK} \t"):
            yield place, parse_json(line, place)


def read_text(path: Path, where: str) -> str:
    """Return the text of a UTF-8 file, a mark of its encoding left out and all ends of lines as one newline.

    ``where`` names the file. Raises DataError for another encoding, DependencyError where the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DependencyError(f"{where} cannot be read: {error.strerror}") from None
    encoding = _other_encoding(data)
    if encoding:
        raise DataError(f"{where} is {encoding}, not UTF-8 (byte 0); convert it to UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 (byte {error.start}); convert it to UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _other_encoding(data: bytes) -> str:
    """Return the encoding that a mark or every second byte gives away; empty where nothing does."""
    for mark, name in _OTHER_ENCODINGS.items():
        if data.startswith(mark):
            return name
    head = data[:_PROBED_BYTES]
    # Latin text in UTF-16 without a mark is UTF-8, too: every second character is NUL
    for start, order in ((1, "little"), (0, "big")):
        if len(head) > 1 and 2 * head[start::2].count(0) > len(head[start::2]) and not head[1 - start :: 2].count(0):
            return f"UTF-16 without a byte order mark, {order}-endian"
    return ""
