"""Pairs along the two diagonals of the lattice: (t, l) -> (t+1, l+1), and (t, l) -> (t+1, l-1), which no model can do.

What a layer adds to the residual stream can reach later layers of the same token and, through attention, of later tokens. It
cannot reach an earlier layer of a later token. So co-activity along the second diagonal has other causes, such as input that
both share, and is a measure of how much of that along the first may have them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from critnb.criticality.bootstrap import Interval, between_windows, percentile_interval
from critnb.criticality.branching import divided, next_token
from critnb.lattice.bits import pack

Floats = npt.NDArray[np.float64]


class Diagonal(Enum):
    """A step of one token on and one layer up or down; the value is its name in columns."""

    UP = "diag"
    DOWN = "anti"


@dataclass(frozen=True, eq=False)
class StepSums:
    """Numerators and denominators of a step's ratio per sequence, [..., N].

    pairs: occupied sites whose site one step on is occupied; sites: occupied sites that have one on the lattice.
    """

    pairs: npt.NDArray[Any]
    sites: npt.NDArray[Any]

    def pooled(self) -> Floats:
        """Return the ratio [...]: summed over sequences, then divided; NaN where no site has a next one."""
        return divided(self.pairs.sum(axis=-1), self.sites.sum(axis=-1))

    def weighted(self, weights: npt.NDArray[np.int64]) -> Floats:
        """Return the pooled ratios [R, ...] of resampled sequences; weights [R, N] say how often each was drawn."""
        pairs, sites = (
            np.tensordot(weights.astype(np.float64), each, axes=(1, -1)) for each in (self.pairs, self.sites)
        )
        return divided(pairs, sites)

    @classmethod
    def stack(cls, parts: list[StepSums]) -> Self:
        """Stack sums of one shape along a new first axis."""
        return cls(np.stack([part.pairs for part in parts]), np.stack([part.sites for part in parts]))


@dataclass(frozen=True, eq=False)
class Step:
    """One diagonal of every condition: its ratio b [C], its excess over the permutation null's expectation, their intervals."""

    ratio: Floats
    interval: Interval
    excess: Floats
    excess_interval: Interval


def step_sums(occupancy: npt.NDArray[Any], diagonal: Diagonal) -> StepSums:
    """Count pairs and eligible sites of a step per sequence of an occupancy or count array [..., N, L, T]."""
    occupied = occupancy > 0
    here, there = _rows(pack(occupied), diagonal)
    pairs = np.bitwise_count(here & next_token(there)).sum(axis=(-2, -1), dtype=np.int64)
    return StepSums(pairs, np.count_nonzero(_rows(occupied, diagonal)[0][..., :-1], axis=(-2, -1)))


def expected_steps(occupancy: npt.NDArray[Any], diagonal: Diagonal) -> StepSums:
    """Return the exact expectation of ``step_sums`` when each row [T] is permuted uniformly and independently.

    A site of a row with k of T sites occupied is occupied with probability k / T, whatever the other row has: among T - 1
    places two rows have k k' (T-1) / T^2 expected pairs, and the first k (T-1) / T expected eligible sites.
    """
    tokens = max(1, occupancy.shape[-1])
    k = np.count_nonzero(occupancy, axis=-1).astype(np.float64)[..., None]
    first, second = (each[..., 0] for each in _rows(k, diagonal))
    inner = (tokens - 1) / tokens
    return StepSums((first * second).sum(axis=-1) * inner / tokens, first.sum(axis=-1) * inner)


def diagonal_steps(counts: Iterable[npt.NDArray[Any]], weights: npt.NDArray[np.int64]) -> Mapping[Diagonal, Step]:
    """Return both diagonals of every condition from its counts [N, L, T]; weights [R, N] resample the sequences."""
    return {each: _step(counts, weights, each) for each in Diagonal}


def _step(counts: Iterable[npt.NDArray[Any]], weights: npt.NDArray[np.int64], diagonal: Diagonal) -> Step:
    real = StepSums.stack([step_sums(each, diagonal) for each in counts])
    null = StepSums.stack([expected_steps(each, diagonal) for each in counts])
    resampled, ratio = between_windows(real.weighted(weights), weights), real.pooled()
    return Step(
        ratio,
        percentile_interval(resampled),
        ratio - null.pooled(),
        percentile_interval(resampled - null.weighted(weights)),
    )


def _rows(of_layers: npt.NDArray[Any], diagonal: Diagonal) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the rows [..., L, X] that a step starts from, and beside each the one that it leads to."""
    lower, upper = of_layers[..., :-1, :], of_layers[..., 1:, :]
    return (lower, upper) if diagonal is Diagonal.UP else (upper, lower)
