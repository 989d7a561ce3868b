"""What is kept of a null's replicates: enough for deltas, their p-values and their sequence bootstrap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.criticality.branching import Branching, BranchingSums
from critnb.errors import DataError
from critnb.lattice.conditions import COND_ID

_REPLICATE = "replicate"


@dataclass(frozen=True, eq=False)
class NullSample:
    """One null of all conditions: the pooled ratios of every replicate [C, R] and the mean sums per sequence [C, N]."""

    pooled: Branching
    sequence_means: BranchingSums

    @classmethod
    def of(cls, conditions: Iterable[BranchingSums]) -> Self:
        """Reduce the sums [R, N] of one condition after the other, as ``null_branching`` returns them."""
        pooled, means = zip(*((sums.pooled(), sums.mean(axis=0)) for sums in conditions), strict=True)
        ratios = Branching(np.stack([p.b_time for p in pooled]), np.stack([p.b_depth for p in pooled]))
        return cls(ratios, BranchingSums.stack(means))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per (cond_id, replicate) with b_time, b_depth and b_tot."""
        n_conditions, n_replicates = self.pooled.b_time.shape
        return pd.DataFrame(
            {
                COND_ID: np.repeat(np.arange(n_conditions, dtype=np.int32), n_replicates),
                _REPLICATE: np.tile(np.arange(n_replicates, dtype=np.int32), n_conditions),
                "b_time": self.pooled.b_time.ravel(),
                "b_depth": self.pooled.b_depth.ravel(),
                "b_tot": self.pooled.b_tot.ravel(),
            }
        )

    @classmethod
    def from_stored(cls, frame: pd.DataFrame, sequence_means: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the sample whose ``to_frame`` and ``sequence_means.arrays()`` these are.

        Raises:
            DataError: the frame does not hold every replicate of every condition in order.
        """
        means = BranchingSums(**sequence_means)
        shape = (means.shape[0], len(frame) // max(1, means.shape[0]))
        counted = np.indices(shape).reshape(2, -1).T
        if not len(frame) or not np.array_equal(frame[[COND_ID, _REPLICATE]].to_numpy(), counted):
            raise DataError(f"null replicates: {len(frame)} rows do not count the replicates of {shape[0]} conditions")
        ratios = (frame[name].to_numpy(dtype=np.float64).reshape(shape) for name in ("b_time", "b_depth"))
        return cls(Branching(*ratios), means)
