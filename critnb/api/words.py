"""Identifiers as a caller may write them: the registry's, or text that spells one."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from critnb.errors import ParamsError

_Id = TypeVar("_Id", bound=StrEnum)


def identifier(kind: type[_Id], given: str, name: str) -> _Id:
    """Return the identifier that ``given`` spells; raises ParamsError naming the argument and its choices."""
    try:
        return kind(given)
    except ValueError:
        raise ParamsError(f"{name}: {given!r} is none of {', '.join(kind)}") from None
