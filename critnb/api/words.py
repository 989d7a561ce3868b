"""Identifiers and whole numbers as a caller may write them."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import numpy as np

from critnb.errors import ParamsError

_Id = TypeVar("_Id", bound=StrEnum)


def identifier(kind: type[_Id], given: str, name: str) -> _Id:
    """Return the identifier that ``given`` spells; raises ParamsError naming the argument and its choices."""
    try:
        return kind(given)
    except ValueError:
        raise ParamsError(f"{name}: {given!r} is none of {', '.join(kind)}") from None


def whole(given: object, name: str, *, least: int | None = 1, point: bool = False) -> int:
    """Return a whole number from ``least`` on, None: any; with ``point`` a float that is whole passes, too.

    Raises ParamsError naming the argument and the value that was given: also for booleans, NaN and text.
    """
    number = given.item() if isinstance(given, np.generic) else given
    if point and isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or (least is not None and number < least):
        raise ParamsError(f"{name}: {given!r} is no whole number{'' if least is None else f' from {least} on'}")
    return number
