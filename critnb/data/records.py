"""The one rule for what a record holds, whatever it was read from: a text, nothing (null, empty), or something refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from critnb.errors import DataError

# a byte order mark names the encoding; it is no character of the text after it
BYTE_ORDER_MARK = "\ufeff"
_MOST_NAMED = 8
_LONGEST_NAME = 40


@dataclass
class Tally:
    """How many documents of a corpus were read, and how many records held none: a null field, an empty text."""

    documents: int = 0
    null: int = 0
    empty: int = 0

    def facts(self) -> dict[str, int]:
        """Return the numbers as a run's record names them."""
        return {"n_documents": self.documents, "n_null": self.null, "n_empty": self.empty}


def field_of(record: Any, field: str, where: str) -> Any:
    """Return what a record says in ``field``, None for null; raises DataError where there is no such field."""
    if not isinstance(record, Mapping):
        raise DataError(f"{where}: {_kind(record)}, no record of fields; give one object {{{field!r}: ...}} a line")
    if field not in record:
        raise DataError(f"{where}: no field {field!r}; {named_fields(list(record))}")
    return record[field]


def named_fields(names: list[Any]) -> str:
    """Say which fields there are, however many and whatever they are called."""
    shown = [repr(str(name)[:_LONGEST_NAME]) for name in names[:_MOST_NAMED]]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"there is {', '.join(shown)}{more}" if shown else "there is none at all"


def as_text(value: Any, name: str, where: str) -> str:
    """Return a value that must be text, byte order marks before it taken off; raises DataError."""
    if not isinstance(value, str):
        raise DataError(f"{where}: no text in {name} but {_kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell halves of surrogate pairs, which are no characters
        raise DataError(
            f"{where}: {name} holds half of a surrogate pair at character {error.start}; repair the text"
        ) from None
    return value.lstrip(BYTE_ORDER_MARK)


def document(value: Any, name: str, where: str, tally: Tally) -> str | None:
    """Return the document that a value is, None for null and for an empty one; each is counted. Raises DataError."""
    if value is None:
        tally.null += 1
        return None
    text = as_text(value, name, where)
    if not text:
        tally.empty += 1
        return None
    tally.documents += 1
    return text


def parse_json(line: str, where: str) -> Any:
    """Return what a line of JSON says; raises DataError for what is not JSON, or is beyond reading.

    Beyond JSON are NaN and infinities; a key that stands twice in an object says two things.
    """
    try:
        return json.loads(line.lstrip(BYTE_ORDER_MARK), object_pairs_hook=_distinct, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg}") from None
    except RecursionError:
        raise DataError(f"{where}: not JSON that can be read: nested too deeply; flatten it") from None
    except ValueError as error:
        # Python's limit on digits, and what the hooks below refuse
        raise DataError(f"{where}: not JSON that can be read: {str(error).split(';')[0]}") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:_LONGEST_NAME]!r} stands twice in one object")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null", bytes: "bytes"}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return names.get(type(value), f"a value of type {type(value).__name__}")
