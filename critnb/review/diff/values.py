"""How far two sets of values are apart: how many differ, by how much at most, and where.

NaN equals NaN. Where one side is NaN, or a value is no number, the pair differs without a size. The relative difference
is |new - old| / max(|old|, |new|), from 0 (equal) to 2 (opposite signs), so that neither run is the one that counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_NUMERIC = "iuf"


@dataclass(frozen=True)
class Extreme:
    """The largest difference of its kind: its size, where it is, and the two values there."""

    size: float
    where: str
    old: float
    new: float


@dataclass(frozen=True)
class Difference:
    """How two files, or two parts of them, differ in their values.

    ``values`` pairs were compared and ``differing`` of them are not equal, ``without_size`` of these because one side is
    NaN or because they are no numbers; ``example`` is the first of those. ``parts`` names the columns or arrays that
    differ, ``remarks`` say what could not be paired.
    """

    values: int = 0
    differing: int = 0
    without_size: int = 0
    absolute: Extreme | None = None
    relative: Extreme | None = None
    example: str = ""
    parts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether everything could be paired and every pair is equal."""
        return not (self.differing or self.remarks)


def merged(parts: Iterable[Difference], remarks: Iterable[str] = ()) -> Difference:
    """Return the difference of a whole from those of its parts; of equal extremes the first stays."""
    found = list(parts)
    return Difference(
        values=sum(part.values for part in found),
        differing=sum(part.differing for part in found),
        without_size=sum(part.without_size for part in found),
        absolute=_largest(part.absolute for part in found),
        relative=_largest(part.relative for part in found),
        example=next((part.example for part in found if part.example), ""),
        parts=tuple(name for part in found for name in part.parts),
        remarks=(*remarks, *(remark for part in found for remark in part.remarks)),
    )


def _largest(extremes: Iterable[Extreme | None]) -> Extreme | None:
    return max((extreme for extreme in extremes if extreme), key=lambda extreme: extreme.size, default=None)


def named(name: str, difference: Difference) -> Difference:
    """Return a column's or an array's difference with its name in ``parts``, if any of its values differ."""
    return replace(difference, parts=(name,)) if difference.differing else difference


def arrays_differ(old: Array, new: Array, where: Callable[[int], str]) -> Difference:
    """Compare two arrays of one shape, entry by entry; ``where`` names the entry at an index of the flattened arrays."""
    old, new = old.ravel(), new.ravel()
    sized = old.dtype.kind in _NUMERIC and new.dtype.kind in _NUMERIC
    at = np.flatnonzero(_unequal(old, new, sized=sized))
    if not len(at):
        return Difference(values=old.size)
    if not sized:
        return Difference(old.size, len(at), len(at), example=_example(old, new, int(at[0]), where))
    return _sized(old, new, at, where)


def _unequal(old: Array, new: Array, *, sized: bool) -> Array:
    unequal = np.asarray(old != new, dtype=bool)
    if sized and "f" in (old.dtype.kind, new.dtype.kind):
        unequal &= ~(np.isnan(old) & np.isnan(new))
    return unequal


def _sized(old: Array, new: Array, at: Array, where: Callable[[int], str]) -> Difference:
    before, after = old[at].astype(np.float64), new[at].astype(np.float64)
    missing = np.isnan(before) | np.isnan(after)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(missing, -1.0, np.abs(after - before))
        # two infinities differ infinitely, relatively too; two integers beyond 2^53 may differ by less than a float shows
        share = np.where(np.isinf(apart), math.inf, apart / np.maximum(np.abs(before), np.abs(after)))
    share = np.nan_to_num(share, nan=-1.0, posinf=math.inf)

    def extreme(sizes: Array) -> Extreme | None:
        top = int(np.argmax(sizes))
        if sizes[top] < 0:
            return None
        return Extreme(float(sizes[top]), where(int(at[top])), float(before[top]), float(after[top]))

    example = _example(old, new, int(at[np.argmax(missing)]), where) if missing.any() else ""
    return Difference(old.size, len(at), int(missing.sum()), extreme(apart), extreme(share), example)


def _example(old: Array, new: Array, index: int, where: Callable[[int], str]) -> str:
    return f"{where(index)}: {short(old[index])} -> {short(new[index])}"


def listed(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"


def short(value: Any, length: int = 60) -> str:
    """Return a value on one line of at most ``length`` characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
