"""The raster: event counts on the token x layer lattice, one plane per condition and sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from critnb.errors import DataError
from critnb.lattice.conditions import COND_ID, ConditionTable
from critnb.lattice.planes import Counts, HeldPlanes, OccupiedPlanes, Planes

Occupancy = npt.NDArray[np.bool_]
Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Raster:
    """Event counts A with what its axes mean.

    counts uint16 [C, N, L, T]: events at condition c, sequence n, layer l, token t, as an array or as planes of which one is
    made at a time; ``conditions`` names the axis C,
    seq_id int32 [N] the windows on the axis N; tokens int32 [N, T] the ids that they hold, where a null needs them. Raises
    DataError where these do not fit each other.
    """

    counts: Counts | Planes
    conditions: ConditionTable
    seq_id: npt.NDArray[np.int32]
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        _need(self.counts, "counts", np.uint16, ndim=4)
        _need(self.seq_id, "seq_id", np.int32, ndim=1)
        n_conditions, n_sequences = self.counts.shape[:2]
        if n_conditions != len(self.conditions):
            raise DataError(f"raster: {n_conditions} planes for {len(self.conditions)} conditions")
        if n_sequences != len(self.seq_id):
            raise DataError(f"raster: {n_sequences} sequences for {len(self.seq_id)} values of seq_id")
        if len(np.unique(self.seq_id)) != n_sequences:
            raise DataError("raster: a seq_id stands twice; every window of a slice has its own")
        if self.tokens is not None:
            _need(self.tokens, "tokens", np.int32, ndim=2)
            if self.tokens.shape != (n_sequences, self.counts.shape[-1]):
                raise DataError(f"raster: tokens {self.tokens.shape} are not of {n_sequences} windows of its length")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Raster)
            and self.conditions == other.conditions
            and np.array_equal(self.seq_id, other.seq_id)
            and self.counts.shape == other.counts.shape
            and all(map(np.array_equal, self.counts, other.counts))
            and _same(self.tokens, other.tokens)
        )

    def take(self, cond_ids: Sequence[int]) -> Raster:
        """Return these conditions alone, in this order and numbered anew from zero."""
        conditions = ConditionTable(self.conditions[cond_id] for cond_id in cond_ids)
        counts = self.counts
        taken = counts.chosen(cond_ids) if isinstance(counts, Planes) else counts[np.asarray(cond_ids, dtype=np.intp)]
        return Raster(taken, conditions, self.seq_id, self.tokens)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays of the NPZ file: X uint8, A uint16 [C, N, L, T], cond_id int32 [C], seq_id int32 [N], tokens.

        X and A of planes are given plane by plane.
        """
        tokens = {} if self.tokens is None else {"tokens": self.tokens}
        counts = self.counts
        return {
            "X": OccupiedPlanes(counts) if isinstance(counts, Planes) else (counts > 0).view(np.uint8),
            "A": self.counts,
            COND_ID: np.arange(len(self.conditions), dtype=np.int32),
            "seq_id": self.seq_id,
            **tokens,
        }


def from_planes(
    planes: Iterable[tuple[npt.NDArray[Any], ...]],
    of_condition: tuple[int, ...],
    arrays: Mapping[str, npt.NDArray[Any]],
    conditions: ConditionTable,
) -> Raster:
    """Return the raster whose X and A are given plane by plane, (X, A) of one condition after the other, with its other ``arrays``.

    ``of_condition``: the shape (N, L, T) of a plane.

    Raises:
        DataError: an array is missing or does not fit, X is not A > 0, or cond_id does not count the conditions.
    """
    if missing := [name for name in (COND_ID, "seq_id") if name not in arrays]:
        raise DataError(f"raster: array {missing[0]} is missing")
    if not np.array_equal(arrays[COND_ID], np.arange(len(conditions))):
        raise DataError(f"raster: {COND_ID} does not count the {len(conditions)} conditions of its table in order")
    counts = HeldPlanes.of((_checked(occupied, counts) for occupied, counts in planes), of_condition)
    return Raster(counts, conditions, arrays["seq_id"], arrays.get("tokens"))


def _checked(occupied: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Counts:
    _need(counts, "A", np.uint16, ndim=3)
    _need(occupied, "X", np.uint8, ndim=3)
    if not np.array_equal(occupied, counts > 0):
        raise DataError("raster: X does not equal A > 0; the file is not a raster that critnb wrote")
    return counts


def concatenate(rasters: Sequence[Raster]) -> Raster:
    """Return the conditions of several rasters of the same windows in one; raises DataError where windows differ."""
    first = rasters[0]
    for raster in rasters[1:]:
        if raster.counts.shape[1:] != first.counts.shape[1:] or not np.array_equal(raster.seq_id, first.seq_id):
            raise DataError("rasters: only rasters of the same windows and lattice can be joined")
    tokens = first.tokens if all(_same(raster.tokens, first.tokens) for raster in rasters) else None
    conditions = ConditionTable(condition for raster in rasters for condition in raster.conditions)
    planes = (plane for raster in rasters for plane in raster.counts)
    return Raster(HeldPlanes.of(planes, first.counts.shape[1:]), conditions, first.seq_id, tokens)


def _same(one: Tokens | None, other: Tokens | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def _need(array: npt.NDArray[Any] | Planes, name: str, dtype: type[np.generic], *, ndim: int) -> None:
    if array.dtype != dtype or array.ndim != ndim:
        wanted = f"{np.dtype(dtype).name} with {ndim} axes"
        raise DataError(f"raster: {name} must be {wanted}, not {array.dtype.name} with {array.ndim}")
