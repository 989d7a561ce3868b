"""Knock-outs and disturbances of the same windows from one whole pass: what is done with a shard, and how shards are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critnb.criticality.knock_outs import KnockOutSums
from critnb.events.calibration import Calibration
from critnb.events.knock_out import KnockOutRule, KnockOuts
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.partial import KeptPass, each_kept_pass
from critnb.model.shards import Shard
from critnb.model.stability import Disturbances, Growth

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Perturbed:
    """The knock-outs of each setting's ``rules``, and the growth of ``directions`` disturbances, on ``tokens`` [N, T].

    seq_id [N]: the ids of the windows. A setting without rules is disturbed only.
    """

    tokens: NDArray[np.int64]
    seq_id: NDArray[np.integer]
    calibration: Calibration
    rules: Mapping[Setting, Sequence[KnockOutRule]]
    directions: int
    seed: int

    def __call__(self, passes: ForwardPasses, shard: Shard) -> Arrays:
        """Return what is counted in the shard's windows, as ``sums_of`` and ``growth_of`` read it."""
        rows, ids = shard.of(self.tokens, passes), self.seq_id[shard.first : shard.stop]
        knocked = KnockOuts(passes, rows, self.calibration, self.rules.get(shard.setting, ()), ids)
        followed = Disturbances(passes, rows, seq_id=ids, directions=self.directions, seed=self.seed)

        def both(first: int, kept: KeptPass) -> None:
            knocked(first, kept)
            followed(first, kept)

        each_kept_pass(passes, rows, shard.setting, both, knocked.read)
        return {**knocked.sums.arrays(), **followed.growth.arrays()}


def sums_of(arrays: Mapping[str, NDArray[Any]]) -> KnockOutSums:
    """Return the sums [C, V, N, L-1] of the C rules of a setting."""
    return KnockOutSums.from_arrays(dict(arrays))


def growth_of(arrays: Mapping[str, NDArray[Any]]) -> Growth:
    """Return how disturbances grew under a setting."""
    return Growth(arrays["log_growth"], arrays["wide"])


def joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> Arrays:
    """Return what shards of one setting counted, in the order of their windows, as that of all their windows."""
    sums = KnockOutSums.concatenate([sums_of(part) for part in parts])
    growths = [growth_of(part).arrays() for part in parts]
    return {**sums.arrays(), **{name: np.concatenate([each[name] for each in growths]) for name in growths[0]}}
