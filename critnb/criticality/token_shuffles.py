"""Many shuffles of the tokens at matched rates: their branching per window, and the real raster's excess over theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import NullId
from critnb.criticality.bootstrap import Interval, between_windows, multinomial_weights, percentile_interval
from critnb.criticality.branching import BranchingSums, Floats, branching_sums, expected_under_permutation
from critnb.errors import DataError
from critnb.lattice import ConditionTable, Raster
from critnb.lattice.conditions import COND_ID, FIELDS
from critnb.lattice.randomness import below, root_key, words

_SHUFFLE, _WINDOW, _EVENTS, _MISSED, _EXPECTED = "shuffle", "seq_id", "events", "events_missed", "expected_"
_SUMS = ("time_pairs", "time_sites", "depth_pairs", "depth_sites")


@dataclass(frozen=True, eq=False)
class TokenShuffles:
    """The branching of the rasters that a model makes of S shuffles of the same N windows, for C real conditions.

    sums: of the shuffled rasters, and expected: of their own permutation nulls in closed form, both [C, S, N]; events int64
    [C, S, N]; missed int64 [C, S]: the events, over all layers and windows, that ties at a threshold leave out.
    """

    conditions: ConditionTable
    seq_id: npt.NDArray[np.int32]
    sums: BranchingSums
    expected: BranchingSums
    events: npt.NDArray[np.int64]
    missed: npt.NDArray[np.int64]

    @property
    def excess(self) -> Floats:
        """b_tot minus the expectation of the raster's own permutation null, pooled over windows, [C, S]."""
        return self.sums.pooled().b_tot - self.expected.pooled().b_tot

    def to_frame(self) -> pd.DataFrame:
        """Return one row per condition, shuffle and window, in this order: what ``from_frame`` reads."""
        n_conditions, n_shuffles, n_windows = self.sums.shape
        fields = self.conditions.to_frame()
        frame = fields.loc[fields.index.repeat(n_shuffles * n_windows)].reset_index(drop=True)
        frame[_SHUFFLE] = np.tile(np.repeat(np.arange(n_shuffles, dtype=np.int32), n_windows), n_conditions)
        frame[_WINDOW] = np.tile(self.seq_id, n_conditions * n_shuffles)
        frame[_EVENTS] = self.events.ravel()
        frame[_MISSED] = np.repeat(self.missed.ravel(), n_windows)
        for prefix, sums in (("", self.sums), (_EXPECTED, self.expected)):
            for name, array in sums.arrays().items():
                frame[prefix + name] = array.ravel()
        return frame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> TokenShuffles:
        """Inverse of ``to_frame``; raises DataError for a table that is not complete."""
        wanted = [COND_ID, *FIELDS, _SHUFFLE, _WINDOW, _EVENTS, _MISSED, *_SUMS, *(_EXPECTED + name for name in _SUMS)]
        if missing := [name for name in wanted if name not in frame]:
            raise DataError(f"token shuffles: column {missing[0]} is missing")
        shape = tuple(frame[name].nunique() for name in (COND_ID, _SHUFFLE, _WINDOW))
        if len(frame) != np.prod(shape):
            raise DataError(f"token shuffles: {len(frame)} rows are not one for each of {' x '.join(map(str, shape))}")
        of_window = np.prod(shape[1:], dtype=int)
        conditions = ConditionTable.from_frame(frame.iloc[:: max(1, of_window)].reset_index(drop=True))

        def column(name: str) -> npt.NDArray[Any]:
            return frame[name].to_numpy().reshape(shape)

        return cls(
            conditions,
            column(_WINDOW)[0, 0].astype(np.int32),
            BranchingSums(**{name: column(name) for name in _SUMS}),
            BranchingSums(**{name: column(_EXPECTED + name) for name in _SUMS}),
            column(_EVENTS),
            column(_MISSED)[..., 0],
        )


@dataclass(frozen=True, eq=False)
class AgainstShuffles:
    """Each number by the real condition [C]; NaN where nothing was shuffled.

    n_shuffles; excess: mean over shuffles of b_tot minus the expectation of the shuffled raster's own permutation null;
    difference: the same of the real raster in the same windows, minus that mean, with its bootstrap interval.
    """

    n_shuffles: Floats
    excess: Floats
    difference: Floats
    interval: Interval


def against_shuffles(raster: Raster, shuffles: TokenShuffles, *, replicates: int, seed: int) -> AgainstShuffles:
    """Compare the real raster with shuffles of its tokens, one entry per condition of ``raster``.

    A bootstrap replicate draws windows, the same for the real raster and the shuffles, and one of the shuffles anew: so the
    interval holds what windows and orders do. There is none where the shuffles are of one window. Raises DataError where a
    shuffled window is not the raster's.
    """
    place = {int(window): row for row, window in enumerate(raster.seq_id)}
    if strangers := [window for window in shuffles.seq_id.tolist() if window not in place]:
        raise DataError(f"token shuffles: window {strangers[0]} is none of the raster's")
    rows = [place[window] for window in shuffles.seq_id.tolist()]
    real = raster.take([raster.conditions.index(condition) for condition in shuffles.conditions]).counts[:, rows]
    sums, expected = branching_sums(real), expected_under_permutation(real)  # [C, N]
    mean = _mean(shuffles.excess)
    difference = sums.pooled().b_tot - expected.pooled().b_tot - mean
    weights = multinomial_weights(len(rows), replicates, seed)
    resampled = (sums.weighted(weights).b_tot - expected.weighted(weights).b_tot) - _drawn(shuffles, weights, seed)
    ends = percentile_interval(between_windows(resampled, weights))
    found = {condition: row for row, condition in enumerate(shuffles.conditions)}
    at = np.array([found.get(condition, -1) for condition in raster.conditions])

    def spread(values: npt.ArrayLike) -> Floats:
        return np.where(at < 0, np.nan, np.asarray(values, dtype=np.float64)[at])

    n_shuffles = np.full(len(shuffles.conditions), shuffles.sums.shape[1])
    interval = Interval(spread(ends.low), spread(ends.high), np.where(at < 0, 0, ends.dropped[at]))
    return AgainstShuffles(spread(n_shuffles), spread(mean), spread(difference), interval)


def _drawn(shuffles: TokenShuffles, weights: npt.NDArray[np.int64], seed: int) -> Floats:
    """Return the excess [B, C] of resampled windows, of one shuffle drawn in each replicate."""
    n_shuffles = shuffles.sums.shape[1]
    key = root_key(seed, NullId.NULL_TOKEN_SHUFFLE_INPUT.encode())
    drawn = below(words(key, np.arange(len(weights))), n_shuffles)
    excess = np.full((len(weights), len(shuffles.conditions)), np.nan)
    for shuffle in range(n_shuffles):
        chosen = drawn == shuffle
        sums, expected = (each[:, shuffle] for each in (shuffles.sums, shuffles.expected))
        excess[chosen] = sums.weighted(weights[chosen]).b_tot - expected.weighted(weights[chosen]).b_tot
    return excess


def _mean(values: Floats) -> Floats:
    """Return the mean over shuffles [C] of those that have a value; NaN where none has."""
    known = ~np.isnan(values)
    n = known.sum(axis=1)
    mean = np.full(len(values), np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=1), n, out=mean, where=n > 0)
    return mean


def joined(parts: Sequence[TokenShuffles], conditions: ConditionTable) -> TokenShuffles:
    """Return the shuffles of several gains in the order of ``conditions``, all of the same windows."""
    order = ConditionTable(condition for part in parts for condition in part.conditions)
    at = [order.index(condition) for condition in conditions]

    def sums(name: str) -> BranchingSums:
        arrays = [getattr(part, name).arrays() for part in parts]
        return BranchingSums(**{key: np.concatenate([each[key] for each in arrays])[at] for key in _SUMS})

    events, missed = (np.concatenate([getattr(part, name) for part in parts])[at] for name in ("events", "missed"))
    return TokenShuffles(conditions, parts[0].seq_id, sums("sums"), sums("expected"), events, missed)
