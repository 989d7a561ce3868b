"""Shuffles of the tokens of some windows at matched rates: what is done with a shard of them, and how shards are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from critnb.canon import SpikeDef
from critnb.criticality.branching import branching_sums, expected_under_permutation
from critnb.events import Calibration, gather
from critnb.events.screening_bounds import FirstBounds
from critnb.lattice import Raster, token_shuffle_order
from critnb.model.forward import ForwardPasses, Setting

EXPECTED = "expected_"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ShuffleShard:
    """Shuffles ``first`` to ``stop`` - 1 under one setting."""

    setting: Setting
    first: int
    stop: int

    def __str__(self) -> str:
        return f"{self.setting.intervention}-{self.setting.gain:g}-{self.first}"


@dataclass(frozen=True, eq=False)
class Wanted:
    """The events [C, L] that a shuffle shall have of each condition of a setting, and what conditions these are."""

    kinds: Sequence[tuple[SpikeDef, float]]
    events: NDArray[np.int64]

    @classmethod
    def of(cls, real: Raster, n_windows: int) -> Self:
        """Return the events of the first windows of a raster."""
        kinds = [(each.spike_def_id, each.target_rate) for each in real.conditions]
        return cls(kinds, real.counts[:, :n_windows].sum(axis=(1, 3), dtype=np.int64))

    def matched(
        self,
        passes: ForwardPasses,
        tokens: NDArray[np.int64],
        calibration: Calibration,
        setting: Setting,
        bounds: FirstBounds,
    ) -> NDArray[np.uint16]:
        """Return the counts [C, N, L, T] of ``tokens`` [N, T]. Pairs of definition and rate that are no condition want no event."""
        spike_defs, rates = (tuple(dict.fromkeys(each)) for each in zip(*self.kinds, strict=True))
        place = [(spike_defs.index(spike_def), rates.index(rate)) for spike_def, rate in self.kinds]
        events = np.zeros((len(spike_defs), len(rates), self.events.shape[1]), dtype=np.int64)
        for row, at in enumerate(place):
            events[at] = self.events[row]
        found = gather(passes, tokens, calibration, spike_defs, events, setting, first_bounds=bounds).finish()
        return np.stack([found.counts[at] for at in place])


@dataclass(frozen=True, eq=False)
class Shuffled:
    """Shuffles of ``tokens`` [N, T], window_id [N], under each setting with the events that are wanted there.

    What one shuffle's first batch gives bounds the next one's, where both are worked on in one process: it changes no result.
    """

    tokens: NDArray[np.int64]
    window_id: NDArray[np.int32]
    calibration: Calibration
    wanted: Mapping[Setting, Wanted]
    special_ids: Sequence[int]
    seed: int
    bounds: dict[Setting, FirstBounds] = field(default_factory=dict)

    def __call__(self, passes: ForwardPasses, shard: ShuffleShard) -> Arrays:
        """Return what the rasters of these shuffles are reduced to: arrays [C, S, N], and missed [C, S]."""
        wanted, bounds = self.wanted[shard.setting], self.bounds.setdefault(shard.setting, {})
        of_shuffles = []
        for number in range(shard.first, shard.stop):
            tokens = shuffled_tokens(self.tokens, self.window_id, self.special_ids, seed=self.seed, shuffle=number)
            counts = wanted.matched(passes, tokens, self.calibration, shard.setting, bounds)
            of_shuffles.append(_reduced(counts, wanted.events))
        return {name: np.stack([each[name] for each in of_shuffles], axis=1) for name in of_shuffles[0]}


def one_after_another(parts: Sequence[Mapping[str, NDArray[Any]]]) -> Arrays:
    """Return the arrays of shards of one setting, given in the order of their shuffles, as those of all."""
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def _reduced(counts: NDArray[np.uint16], wanted: NDArray[np.int64]) -> Arrays:
    expected = expected_under_permutation(counts).arrays()
    return {
        **branching_sums(counts).arrays(),
        **{f"{EXPECTED}{name}": array for name, array in expected.items()},
        "events": counts.sum(axis=(2, 3), dtype=np.int64),
        "missed": (wanted - counts.sum(axis=(1, 3), dtype=np.int64)).sum(axis=1),
    }


def shuffled_tokens(
    tokens: NDArray[np.int64],
    window_id: NDArray[np.int32],
    special_ids: Sequence[int],
    *,
    seed: int,
    shuffle: int | None = None,
) -> NDArray[np.int64]:
    """Return windows [N, T] with their interior tokens permuted; special tokens and both ends stay in place.

    ``shuffle`` numbers further draws beside the one that is kept.
    """
    special = np.isin(tokens, special_ids)
    orders = [
        token_shuffle_order(special[row], seed=seed, seq_id=int(window_id[row]), shuffle=shuffle)
        for row in range(len(tokens))
    ]
    return np.take_along_axis(tokens, np.stack(orders), axis=1)
