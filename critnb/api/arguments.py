"""Arguments as callers give them, checked: identifiers, whole numbers, and arrays, whose missing values are refused."""

from __future__ import annotations

import sys
from collections import Counter
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.errors import DataError, ParamsError

_NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)
_KINDS = "buif"

_Id = TypeVar("_Id", bound=StrEnum)


class MissingError(DataError):
    """There are missing values among the numbers."""


def identifier(kind: type[_Id], given: str, name: str) -> _Id:
    """Return the identifier that ``given`` spells; raises ParamsError with the argument's name and its choices."""
    try:
        return kind(given)
    except ValueError:
        raise ParamsError(f"{name}: {given!r} is none of {', '.join(kind)}") from None


def whole(given: object, name: str, *, least: int | None = 1, point: bool = False) -> int:
    """Return a whole number of at least ``least`` (None: any); with ``point`` also a float without a fraction.

    Raises ParamsError with the argument's name and value, also for booleans, NaN and text.
    """
    number = given.item() if isinstance(given, np.generic) else given
    if point and isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or (least is not None and number < least):
        raise ParamsError(f"{name}: {given!r} is no whole number{'' if least is None else f' from {least} on'}")
    return number


def enough(**replicates: int) -> None:
    """Raise ParamsError, with the argument's name, where replicates are fewer than two or no whole number."""
    for name, number in replicates.items():
        if whole(number, name, least=0) < 2:
            raise ParamsError(f"{name}: {number} is too few; at least 2 are needed")


def numbers(x: object, name: str, *, remedy: str) -> npt.NDArray[Any]:
    """Return booleans, whole numbers or floats as a plain array in the machine's byte order.

    x: an array, list, pandas or Arrow object, or a tensor on any device. Every message begins with ``name``; the one about
    missing values (masked, NaN, None, pandas' NA and NaT) ends with ``remedy``.

    Raises:
        MissingError: there are missing values.
        DataError: ``x`` is no array, or its values are no numbers or integers beyond 64 bits.
    """
    values = _array(x, name)
    missing = np.zeros(0, dtype=bool)
    if values.dtype.kind == "O":
        missing = _missing(values)
        values = values if missing.any() else _of_objects(values, name)
    elif values.dtype.kind in "fc":
        missing = np.isnan(values)
    if missing.any():
        raise MissingError(
            f"{name}: {missing.sum()} of {values.size} values are missing (masked, NaN or None); {remedy}"
        )
    if values.dtype.kind not in _KINDS:
        raise DataError(f"{name}: values are {values.dtype.name}; give numbers")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def format_number(value: object) -> str:
    """Return a number as text, whole ones below 1e16 without a decimal point."""
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e16:
        number = int(number)
    return f"{number}"


def _array(x: object, name: str) -> npt.NDArray[Any]:
    try:
        values = np.asarray(_unmasked(_on_cpu(x)))
    except Exception as error:  # a foreign type may raise anything here
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{name}: {type(x).__name__} cannot be read as an array ({said})") from None
    if values.ndim == 0:
        hint = "; give x.toarray()" if hasattr(x, "toarray") else ""
        raise DataError(f"{name}: {type(x).__name__} is no array of numbers{hint}")
    return values


def _on_cpu(x: Any) -> Any:
    """Return a tensor as one that NumPy can read; anything else as it is."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(x, torch.Tensor):
        return x
    here = x.detach().cpu()
    return here.float() if here.dtype is torch.bfloat16 else here


def _unmasked(x: Any) -> Any:
    """Return masked arrays, alone or in lists, with None where they are masked: NumPy drops masks silently."""
    if isinstance(x, list | tuple):
        return [_unmasked(one) for one in x]
    if x is np.ma.masked:
        return None
    if isinstance(x, np.ma.MaskedArray) and x.dtype.names is None and np.ma.is_masked(x):
        shown = x.data.astype(object)
        shown[np.ma.getmaskarray(x)] = None
        return shown
    return x


def _missing(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    flat = values.ravel()
    missing: npt.NDArray[np.bool_] = np.array([one is np.ma.masked for one in flat], dtype=bool) | pd.isna(flat)
    return missing


def _of_objects(values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return an object array of numbers as a numeric one; raises DataError for other values."""
    flat = values.ravel().tolist()
    if strange := Counter(type(one).__name__ for one in flat if not isinstance(one, _NUMBERS)):
        raise DataError(f"{name}: values are {strange.most_common(1)[0][0]}; give numbers")
    plain = np.array(flat).reshape(values.shape)
    if plain.dtype.kind == "O":
        raise DataError(f"{name}: there is a value {max(flat, key=abs)}, beyond 64 bits")
    return plain
