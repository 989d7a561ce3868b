"""The largest values of a stream and their sites, in bounded memory: exact order statistics in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class LargestValues:
    """Keeps the ``capacity`` largest values added so far, and counts the values it dropped that equal the smallest kept one.

    Values wait in parts and are cut back to ``capacity`` when a quarter more are there, so that the work is linear in the
    number of values added, however many additions they come in.
    """

    def __init__(self, capacity: int) -> None:
        """Keep ``capacity`` >= 1 values; raises ValueError for less."""
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self._values = [np.empty(0)]
        self._sites = [np.empty(0, dtype=np.int64)]
        self._waiting = 0
        self._bound = -np.inf
        self._dropped = 0

    @property
    def bound(self) -> float:
        """A value below which nothing added can matter any more; -inf until ``capacity`` values are there."""
        return self._bound

    def add(self, values: NDArray[np.float64], sites: NDArray[np.int64]) -> None:
        """Add values and their sites; every value not below ``bound`` must come, the others may be left out."""
        self._values.append(values)
        self._sites.append(sites)
        self._waiting += len(values)
        there = len(self._values[0]) + self._waiting
        first_full = self._bound == -np.inf and there >= self.capacity
        if first_full or there > self.capacity + self.capacity // 4:
            self._cut_back()

    def join(self, other: LargestValues, *, first_site: int) -> None:
        """Add all that another one of the same capacity was given, its sites moved by ``first_site``."""
        values, sites = other._cut_back()
        self.add(values, sites + first_site)
        self._cut_back()
        # what it dropped lies below this bound, or is equal to it
        if other._bound == self._bound:
            self._dropped += other._dropped

    def threshold(self, k: int) -> float:
        """Return the (k+1)-th largest value, so that k values lie above it unless ties straddle the cut; -inf for k of k values.

        Raises ValueError unless k is at least 0, below the capacity, and at most the number of values added.
        """
        values, _ = self._cut_back()
        if k == len(values) < self.capacity:
            return -np.inf
        if not 0 <= k < len(values):
            raise ValueError(f"the {k + 1}-th largest of {len(values)} values does not exist")
        place = len(values) - 1 - k
        return float(np.partition(values, place)[place])

    def ties(self, threshold: float) -> int:
        """Return how many of all values added equal ``threshold``."""
        values, _ = self._cut_back()
        kept = int(np.count_nonzero(values == threshold))
        return kept + (self._dropped if threshold == self._bound else 0)

    def sites_above(self, threshold: float) -> NDArray[np.int64]:
        """Return the sites of the kept values strictly above ``threshold``, a site once for each of its values."""
        values, sites = self._cut_back()
        return sites[values > threshold]

    def _cut_back(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the kept values and sites, all parts joined and cut back to ``capacity``."""
        if self._waiting:
            values, sites = np.concatenate(self._values), np.concatenate(self._sites)
            if len(values) > self.capacity:
                values, sites = self._largest(values, sites)
            if len(values) == self.capacity:
                self._bound = float(values.min())
            self._values, self._sites, self._waiting = [values], [sites], 0
        return self._values[0], self._sites[0]

    def _largest(
        self, values: NDArray[np.float64], sites: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        cut = np.partition(values, len(values) - self.capacity)[len(values) - self.capacity]
        keep = values > cut
        equal = np.flatnonzero(values == cut)
        kept_equal = equal[: self.capacity - np.count_nonzero(keep)]
        # those dropped before equal the bound at that time, which may lie below the cut
        carried = self._dropped if cut == self._bound else 0
        self._dropped = carried + len(equal) - len(kept_equal)
        keep[kept_equal] = True
        return values[keep], sites[keep]
