"""A sample of positive integers as its distinct values and how often each occurs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from critnb.errors import DataError

Integers = npt.NDArray[np.int64]
# Integers beyond are not all distinct in float64, in which the laws are computed.
LARGEST = 2**53


@dataclass(frozen=True, eq=False)
class Histogram:
    """Distinct values in ascending order, int64 [U], and their counts, int64 [U], each at least one."""

    values: Integers
    counts: Integers

    @classmethod
    def of(cls, sample: npt.NDArray[np.integer[Any]]) -> Self:
        """Count a sample of integers [n].

        Raises:
            DataError: a value is not an integer, below one, or too large for float64 to hold exactly.
        """
        if np.ma.is_masked(sample):
            raise DataError("tails: the sample has masked values; leave them out")
        values, counts = np.unique(np.asarray(sample), return_counts=True)
        if values.size and not np.issubdtype(values.dtype, np.integer):
            raise DataError(f"tails: a sample holds integers, not {values.dtype}")
        if values.size and not (values[0] >= 1 and values[-1] <= LARGEST):
            outside = values[0] if values[0] < 1 else values[-1]
            raise DataError(f"tails: the sample has a value {outside}; sizes and durations lie in 1..2^53")
        return cls(values.astype(np.int64), counts.astype(np.int64))

    @property
    def n(self) -> int:
        """The number of values, each as often as it occurs."""
        return int(self.counts.sum())

    def tail(self, xmin: int, xmax: int | None = None) -> Histogram:
        """Return the part of the sample in xmin..xmax, both included."""
        first = np.searchsorted(self.values, xmin)
        last = len(self.values) if xmax is None else np.searchsorted(self.values, xmax, side="right")
        return Histogram(self.values[first:last], self.counts[first:last])

    def quantile(self, share: float) -> int | None:
        """Return the value at rank ceil(share * (n - 1)) of the sorted sample (numpy's "higher"); None where empty.

        Raises:
            DataError: share lies outside 0..1.
        """
        if not 0 <= share <= 1:
            raise DataError(f"tails: a quantile is asked for a share in 0..1, not {share}")
        if not self.n:
            return None
        # numpy places the quantile at share * (n - 1), and a rounding error must not lift a whole rank.
        rank = int(np.ceil(round(share * (self.n - 1), 9)))
        return int(self.values[np.searchsorted(np.cumsum(self.counts), rank, side="right")])

    def check_bound(self, xmax: int | None) -> None:
        """Raise DataError where a value lies above xmax, so that no law that ends there can have given it, or xmax is no bound."""
        check_end(xmax, "xmax")
        if xmax is not None and self.values.size and self.values[-1] > xmax:
            raise DataError(
                f"tails: the sample has a value {self.values[-1]}, above xmax {xmax}; raise xmax or cut the sample"
            )


def check_end(end: object, name: str) -> None:
    """Raise DataError where an end of a support is no whole number in 1..2^53; xmax None is no upper end."""
    if end is None and name == "xmax":
        return
    if not isinstance(end, int | np.integer) or isinstance(end, bool):
        raise DataError(f"tails: {name} {end} is no whole number; sizes and durations are")
    if end < 1:
        raise DataError(f"tails: {name} {end} is below one; sizes and durations start at 1")
    if end > LARGEST:
        raise DataError(f"tails: {name} {end} is above 2^53; xmax None has no upper end")
