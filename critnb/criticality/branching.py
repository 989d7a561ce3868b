"""Branching along tokens and along depth, as per-sequence sums that pool, resample and stack.

Occupancy is packed to 64 sites a word first: a pair of neighbours is then one AND and one population count, some ten
times faster than a sum over booleans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from critnb.errors import DataError
from critnb.lattice.packing import WORD_BITS, pack

Floats = npt.NDArray[np.float64]
_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Branching:
    """Branching ratios float64 [...]; NaN where no site has a successor, b_tot NaN where either part is."""

    b_time: Floats
    b_depth: Floats

    @property
    def b_tot(self) -> Floats:
        """b_time + b_depth [...]."""
        return self.b_time + self.b_depth


@dataclass(frozen=True, eq=False)
class BranchingSums:
    """Numerators and denominators of the branching ratios per sequence, each [..., N], int64 or float64 (expectations).

    time_pairs: occupied (t, l) with occupied (t+1, l); time_sites: occupied (t, l) with t < T-1; depth so along l.
    Raises DataError where the four shapes differ.
    """

    time_pairs: npt.NDArray[Any]
    time_sites: npt.NDArray[Any]
    depth_pairs: npt.NDArray[Any]
    depth_sites: npt.NDArray[Any]

    def __post_init__(self) -> None:
        if len({array.shape for array in self.arrays().values()}) != 1:
            raise DataError("branching sums: the four arrays must have one shape [..., N]")

    def __getitem__(self, index: Any) -> Self:
        return self._each(lambda array: array[index])

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape (..., N)."""
        return self.time_pairs.shape

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the four arrays by name, as they are stored."""
        return {name: getattr(self, name) for name in ("time_pairs", "time_sites", "depth_pairs", "depth_sites")}

    def mean(self, axis: int) -> Self:
        """Return the mean over an axis, for example over null replicates."""
        return self._each(lambda array: array.mean(axis=axis))

    def pooled(self) -> Branching:
        """Return the ratios [...]: numerators and denominators summed over sequences, then divided."""
        return _ratios(self._each(lambda array: array.sum(axis=-1)))

    def weighted(self, weights: npt.NDArray[np.int64]) -> Branching:
        """Return the pooled ratios [R, ...] of resampled sequences; weights [R, N] say how often each was drawn."""
        as_float = weights.astype(np.float64)
        return _ratios(self._each(lambda array: np.tensordot(as_float, array.astype(np.float64), axes=(1, -1))))

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> Self:
        """Return sums of a shape (..., N) that count nothing."""
        return cls(*(np.zeros(shape, dtype=np.int64) for _ in range(4)))

    @classmethod
    def stack(cls, parts: Sequence[BranchingSums]) -> Self:
        """Stack sums of one shape along a new first axis, for example one entry per condition."""
        return cls._join(parts, np.stack)

    @classmethod
    def concatenate(cls, parts: Sequence[BranchingSums]) -> Self:
        """Join shards of sequences along the last axis."""
        return cls._join(parts, lambda arrays: np.concatenate(arrays, axis=-1))

    @classmethod
    def _join(cls, parts: Sequence[BranchingSums], join: Callable[[list[Any]], npt.NDArray[Any]]) -> Self:
        if not parts:
            raise DataError("branching sums: there is nothing to join")
        columns = [part.arrays() for part in parts]
        return cls(**{name: join([column[name] for column in columns]) for name in columns[0]})

    def _each(self, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Self:
        return type(self)(**{name: np.asarray(change(array)) for name, array in self.arrays().items()})


def branching_sums(occupancy: npt.NDArray[Any]) -> BranchingSums:
    """Count pairs and eligible sites per sequence of an occupancy or count array [..., N, L, T].

    Only sites that have a successor on the lattice count as eligible, so that independent sites of density p have
    b_time = b_depth = p in expectation.
    """
    occupied = occupancy > 0
    packed = pack(occupied)
    per_layer = np.bitwise_count(packed).sum(axis=-1, dtype=np.int64)
    return BranchingSums(
        time_pairs=_count(packed & next_token(packed)),
        time_sites=per_layer.sum(axis=-1) - occupied[..., -1].sum(axis=-1, dtype=np.int64),
        depth_pairs=_count(packed[..., :-1, :] & packed[..., 1:, :]),
        depth_sites=per_layer[..., :-1].sum(axis=-1),
    )


def expected_under_permutation(occupancy: npt.NDArray[Any]) -> BranchingSums:
    """Return the exact expectation of ``branching_sums`` when each row [T] is permuted uniformly and independently.

    A row with k of T sites occupied has k(k-1)/T expected time pairs and k(T-1)/T expected eligible sites; two adjacent
    rows have k k'/T expected depth pairs. (The ratio of expectations equals the expected b_depth exactly and the
    expected b_time up to the small variance of its denominator.)
    """
    tokens = occupancy.shape[-1]
    k = np.count_nonzero(occupancy, axis=-1).astype(np.float64)
    return BranchingSums(
        time_pairs=(k * (k - 1)).sum(axis=-1) / tokens,
        time_sites=k.sum(axis=-1) * (tokens - 1) / tokens,
        depth_pairs=(k[..., :-1] * k[..., 1:]).sum(axis=-1) / tokens,
        depth_sites=k[..., :-1].sum(axis=-1),
    )


def empty_sequences(occupancy: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return how many sequences [...] of an array [..., N, L, T] hold no event at all."""
    empty: npt.NDArray[np.int64] = (~(occupancy > 0).any(axis=(-2, -1))).sum(axis=-1, dtype=np.int64)
    return empty


def next_token(packed: _Words) -> _Words:
    """Return packed rows with every site one place closer to t = 0, across word borders: the next token's at each token."""
    shifted = packed >> np.uint64(1)
    shifted[..., :-1] |= packed[..., 1:] << np.uint64(WORD_BITS - 1)
    return shifted


def _count(packed: _Words) -> npt.NDArray[np.int64]:
    counted: npt.NDArray[np.int64] = np.bitwise_count(packed).sum(axis=(-2, -1), dtype=np.int64)
    return counted


def _ratios(sums: BranchingSums) -> Branching:
    return Branching(divided(sums.time_pairs, sums.time_sites), divided(sums.depth_pairs, sums.depth_sites))


def divided(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Floats:
    """Return the quotient, NaN where the denominator is zero."""
    quotient = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) > 0)
    return quotient
