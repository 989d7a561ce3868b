"""Event counts [C, N, L, T] of which one condition's plane [N, L, T] is in memory as uint16 at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from critnb.errors import DataError

Counts = npt.NDArray[np.uint16]
_COUNTS = np.dtype(np.uint16)
_NARROW = np.dtype(np.uint8)


class Planes(ABC):
    """Counts uint16 [C, N, L, T] that give a plane when it is asked for, by what numpy asks of an array.

    An index starts with the condition: a number gives its plane uint16 [N, L, T] or a part of it, several give these stacked.
    """

    ndim = 4
    dtype = _COUNTS

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int, int]:
        """(C, N, L, T)."""

    @abstractmethod
    def plane(self, cond_id: int) -> Counts:
        """Return the counts uint16 [N, L, T] of a condition."""

    @abstractmethod
    def chosen(self, cond_ids: Sequence[int]) -> Planes:
        """Return these conditions alone, in this order."""

    @property
    def size(self) -> int:
        """The number of sites."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Counts]:
        return (self.plane(cond_id) for cond_id in range(len(self)))

    def __getitem__(self, index: Any) -> Counts:
        first, *rest = index if isinstance(index, tuple) else (index,)
        if isinstance(first, int | np.integer):
            part: Counts = self.plane(range(len(self))[first])[tuple(rest)]
            return part
        cond_ids = np.arange(len(self))[first]
        empty = np.empty((0, *self.shape[1:]), dtype=_COUNTS)[(slice(None), *rest)]
        return np.stack([self.plane(i)[tuple(rest)] for i in cond_ids]) if len(cond_ids) else empty

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("planes are made when they are asked for: an array of them is always a copy")
        return self[:].astype(dtype or _COUNTS, copy=False)

    def sum(self, axis: int | tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return the sums over axes of a plane, 1 to 3, of every condition."""
        axes = tuple(each - 1 for each in (axis if isinstance(axis, tuple) else (axis,)))
        left = [n for at, n in enumerate(self.shape[1:]) if at not in axes]
        sums = np.empty((len(self), *left), dtype=dtype)
        for cond_id, plane in enumerate(self):
            sums[cond_id] = plane.sum(axis=axes, dtype=dtype)
        return sums

    def max(self, initial: int = 0) -> int:
        """Return the largest count, at least ``initial``."""
        return max((int(plane.max(initial=initial)) for plane in self), default=initial)


@dataclass(frozen=True, eq=False)
class HeldPlanes(Planes):
    """Planes in memory, [N, L, T] each: uint8 where no site has more than 255 events, else uint16."""

    planes: tuple[npt.NDArray[np.uint8 | np.uint16], ...]
    of_condition: tuple[int, int, int]

    @classmethod
    def of(cls, planes: Iterable[Counts], of_condition: tuple[int, ...]) -> HeldPlanes:
        """Hold planes uint16 of shape ``of_condition`` (N, L, T), taken one after the other; raises DataError for another shape."""
        if len(of_condition) != 3:
            raise DataError(f"raster: a plane has the axes windows, layers and tokens, not {len(of_condition)}")
        shape = (of_condition[0], of_condition[1], of_condition[2])
        return cls(tuple(_narrow(plane, shape) for plane in planes), shape)

    @classmethod
    def joined(cls, parts: Sequence[HeldPlanes]) -> HeldPlanes:
        """Hold the conditions of all parts, of one lattice, in their order; they share their memory."""
        (of_condition,) = {part.of_condition for part in parts}
        return cls(tuple(plane for part in parts for plane in part.planes), of_condition)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, N, L, T)."""
        return (len(self.planes), *self.of_condition)

    def plane(self, cond_id: int) -> Counts:
        """Return the counts uint16 [N, L, T] of a condition."""
        return self.planes[cond_id].astype(_COUNTS, copy=False)

    def chosen(self, cond_ids: Sequence[int]) -> HeldPlanes:
        """Return these conditions alone, in this order; they share their memory."""
        return HeldPlanes(tuple(self.planes[i] for i in cond_ids), self.of_condition)


def _narrow(plane: Counts, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8 | np.uint16]:
    if plane.shape != shape or plane.dtype != _COUNTS:
        raise DataError(f"raster: a plane of {plane.dtype} {plane.shape} among planes of {_COUNTS} {shape}")
    return plane.astype(_NARROW if plane.max(initial=0) <= np.iinfo(_NARROW).max else _COUNTS)


@dataclass(frozen=True, eq=False)
class MadePlanes(Planes):
    """Planes of shape ``of_condition`` (N, L, T) that ``make(cond_id)`` makes anew each time, of the conditions ``cond_ids``."""

    make: Callable[[int], Counts]
    cond_ids: tuple[int, ...]
    of_condition: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, N, L, T)."""
        return (len(self.cond_ids), *self.of_condition)

    def plane(self, cond_id: int) -> Counts:
        """Return the counts uint16 [N, L, T] of a condition."""
        return self.make(self.cond_ids[cond_id])

    def chosen(self, cond_ids: Sequence[int]) -> MadePlanes:
        """Return these conditions alone, in this order."""
        return MadePlanes(self.make, tuple(self.cond_ids[i] for i in cond_ids), self.of_condition)


@dataclass(frozen=True, eq=False)
class OccupiedPlanes:
    """Where ``planes`` have at least one event, as 0 and 1: uint8 [C, N, L, T], given plane by plane."""

    planes: Planes
    dtype = _NARROW

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, N, L, T)."""
        return self.planes.shape

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        return ((plane > 0).view(np.uint8) for plane in self.planes)
