"""What is kept of a null's replicates: enough for deltas, their p-values and their sequence bootstrap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.criticality.branching import Branching, BranchingSums
from critnb.errors import DataError
from critnb.lattice.conditions import COND_ID

_REPLICATE, _REPLICATES = "replicate", "replicates"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConditionSample:
    """One null of one condition: the pooled ratios of every replicate [R] and the mean sums per sequence [N]."""

    pooled: Branching
    sequence_means: BranchingSums

    @classmethod
    def of(cls, sums: BranchingSums) -> Self:
        """Reduce the sums [R, N] that ``null_branching`` returns."""
        return cls(sums.pooled(), sums.mean(axis=0))


@dataclass(frozen=True, eq=False)
class NullSample:
    """One null of all conditions: the pooled ratios of every replicate [C, R] and the mean sums per sequence [C, N].

    replicates [C]: how many each condition has, R the most; ratios beyond them are NaN.
    """

    pooled: Branching
    sequence_means: BranchingSums
    replicates: npt.NDArray[np.int64]

    @classmethod
    def of(cls, conditions: Iterable[BranchingSums]) -> Self:
        """Reduce the sums [R, N] of one condition after the other, as ``null_branching`` returns them."""
        return cls.join([ConditionSample.of(sums) for sums in conditions])

    @classmethod
    def join(cls, conditions: Sequence[ConditionSample]) -> Self:
        """Return the sample of all conditions; they may have different numbers of replicates."""
        replicates = np.array([len(each.pooled.b_time) for each in conditions], dtype=np.int64)
        ratios = (_padded([getattr(each.pooled, name) for each in conditions]) for name in ("b_time", "b_depth"))
        return cls(Branching(*ratios), BranchingSums.stack([each.sequence_means for each in conditions]), replicates)

    def ratios(self, name: str) -> list[Floats]:
        """Return b_time, b_depth or b_tot of every replicate, one array [R] per condition."""
        return [row[:n] for row, n in zip(getattr(self.pooled, name), self.replicates, strict=True)]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per (cond_id, replicate) with b_time, b_depth and b_tot."""
        return pd.DataFrame(
            {
                COND_ID: np.repeat(np.arange(len(self.replicates), dtype=np.int32), self.replicates),
                _REPLICATE: np.concatenate([np.arange(n, dtype=np.int32) for n in self.replicates]),
                **{name: np.concatenate(self.ratios(name)) for name in ("b_time", "b_depth", "b_tot")},
            }
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the mean sums per sequence and the numbers of replicates, as they are stored beside ``to_frame``."""
        return {**self.sequence_means.arrays(), _REPLICATES: self.replicates}

    @classmethod
    def from_stored(cls, frame: pd.DataFrame, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the sample whose ``to_frame`` and ``arrays`` these are.

        Raises:
            DataError: the frame does not hold every replicate of every condition in order.
        """
        means = BranchingSums(**{name: array for name, array in arrays.items() if name != _REPLICATES})
        n_conditions = means.shape[0]
        replicates = np.asarray(arrays.get(_REPLICATES, np.zeros(n_conditions)), dtype=np.int64)
        counted = [(cond_id, r) for cond_id, n in enumerate(replicates) for r in range(n)]
        if not len(frame) or not np.array_equal(frame[[COND_ID, _REPLICATE]].to_numpy(), counted):
            raise DataError(
                f"null replicates: {len(frame)} rows do not count the replicates of {n_conditions} conditions"
            )
        ends = np.cumsum(replicates)[:-1]
        ratios = (_padded(np.split(frame[name].to_numpy(dtype=np.float64), ends)) for name in ("b_time", "b_depth"))
        return cls(Branching(*ratios), means, replicates)


def _padded(rows: Sequence[Floats]) -> Floats:
    """Return rows of different lengths as one array, NaN behind the shorter ones."""
    padded = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded
