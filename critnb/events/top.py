"""The largest values of a stream, with where they stood, in bounded memory: exact order statistics in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Top:
    """Keeps the ``capacity`` largest values added so far, and counts the equals of the smallest kept one it let go."""

    def __init__(self, capacity: int) -> None:
        """Keep ``capacity`` >= 1 values; raises ValueError for less."""
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self._values = np.empty(0)
        self._sites = np.empty(0, dtype=np.int64)
        self._let_go = 0

    @property
    def bound(self) -> float:
        """A value below which nothing added can matter any more; -inf until ``capacity`` values are there."""
        return float(self._values.min()) if len(self._values) == self.capacity else -np.inf

    def add(self, values: NDArray[np.float64], sites: NDArray[np.int64]) -> None:
        """Add values and their sites; every value not below ``bound`` must come, the others may be left out."""
        old_bound = self.bound
        values = np.concatenate([self._values, values])
        sites = np.concatenate([self._sites, sites])
        if len(values) > self.capacity:
            cut = np.partition(values, len(values) - self.capacity)[len(values) - self.capacity]
            keep = np.flatnonzero(values > cut)
            equal = np.flatnonzero(values == cut)
            kept_equal = equal[: self.capacity - len(keep)]
            carried = self._let_go if cut == old_bound else 0
            self._let_go = carried + len(equal) - len(kept_equal)
            keep = np.sort(np.concatenate([keep, kept_equal]))
            values, sites = values[keep], sites[keep]
        self._values, self._sites = values, sites

    def threshold(self, k: int) -> float:
        """Return the (k+1)-th largest value, so that k values lie above it unless ties straddle the cut.

        Raises ValueError unless 0 <= k < the number of values kept.
        """
        if not 0 <= k < len(self._values):
            raise ValueError(f"the {k + 1}-th largest of {len(self._values)} values does not exist")
        place = len(self._values) - 1 - k
        return float(np.partition(self._values, place)[place])

    def ties(self, threshold: float) -> int:
        """Return how many of all values added equal ``threshold``."""
        kept = int(np.count_nonzero(self._values == threshold))
        return kept + (self._let_go if threshold == self.bound else 0)

    def sites_above(self, threshold: float) -> NDArray[np.int64]:
        """Return the sites of the kept values strictly above ``threshold``, a site once for each of its values."""
        return self._sites[self._values > threshold]
