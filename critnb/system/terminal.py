"""Printing to a terminal: text of users, files and records is escaped, so that it cannot steer the terminal or add a line."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

# Cc control characters, Zl and Zp line and paragraph separators, Cs halves of surrogate pairs
_BREAKING = frozenset({"Cc", "Zl", "Zp", "Cs"})


def plain(text: object, longest: int | None = None) -> str:
    """Return text on one line, every character that is not printable (control, bidi, surrogate ...) as its escape.

    A byte that is not UTF-8 has the escape of that byte. Beyond ``longest`` characters the text is cut, and says how many
    there were.
    """
    given = str(text)
    shown = given if given.isprintable() else "".join(each if each.isprintable() else _escape(each) for each in given)
    return shown if longest is None or len(shown) <= longest else f"{shown[:longest]}... ({len(shown)} characters)"


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python reads such a byte
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]


def breaking(text: str) -> str | None:
    """Return the first character that breaks a line, steers a terminal or is half of a pair; None for a sound name."""
    return next((each for each in text if unicodedata.category(each) in _BREAKING), None)


def is_half(character: str) -> bool:
    """Tell whether it is half of a surrogate pair, as which Python also reads a byte that is not UTF-8."""
    return "\ud800" <= character <= "\udfff"


def out(*lines: object) -> None:
    """Print to stdout at once, each argument on a line of its own; raises OSError where stdout does not take it."""
    _write(sys.stdout, lines)


def out_json(tree: Any) -> None:
    """Print a value as JSON to stdout; raises OSError where stdout does not take it, ValueError for NaN and the like."""
    out(*json.dumps(tree, indent=2, allow_nan=False).split("\n"))


def err(*lines: object) -> None:
    """Print to stderr at once, each argument on a line of its own."""
    _write(sys.stderr, lines)


def _write(stream: TextIO | None, lines: Sequence[object]) -> None:
    if stream is None:  # closed by whoever started the process
        return
    encoding = stream.encoding or "utf-8"
    text = "".join(f"{plain(line)}\n" for line in lines)
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def columns() -> int | None:
    """Return how many columns the terminal of stdout has, or ``COLUMNS`` says; None where lines may be of any length."""
    is_shown = os.environ.get("COLUMNS", "").isdecimal() or (sys.stdout is not None and sys.stdout.isatty())
    return shutil.get_terminal_size().columns if is_shown else None


def open_closed_streams() -> None:
    """Put the null device where stdin, stdout or stderr was closed, so that no file of a run gets its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def drop_stdout() -> None:
    """Discard what is still to be written to a stdout that nobody reads, also at the end of the process."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
