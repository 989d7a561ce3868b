"""Shards of forward passes: windows under one setting, whole batches of the run over all windows.

In half precision the last bits of a window's activations follow from the shape of the batch that it is in. So a shard is made of
the very batches that one pass over all windows would have, wherever it is worked on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from critnb.model.forward import ForwardPasses, Setting


@dataclass(frozen=True)
class Shard:
    """Windows ``first`` to ``stop`` - 1 under one setting."""

    setting: Setting
    first: int
    stop: int

    def __str__(self) -> str:
        return f"{self.setting.intervention}-{self.setting.gain:g}-{self.first}"

    def of(self, tokens: NDArray[np.int64], passes: ForwardPasses) -> NDArray[np.int64]:
        """Return its rows of all windows' ``tokens`` [N, T].

        Raises ValueError where these are not whole batches of a run over all of them.
        """
        batch, n_windows = passes.batch_windows(tokens.shape[1]), len(tokens)
        whole = 0 <= self.first < self.stop <= n_windows
        if not whole or self.first % batch or (self.stop % batch and self.stop != n_windows):
            raise ValueError(
                f"windows {self.first} to {self.stop - 1} of {n_windows} are not whole batches of {batch}: their last bits "
                "could differ from those of a run over all windows"
            )
        return tokens[self.first : self.stop]


def shards_of(
    settings: Iterable[Setting], n_windows: int, *, batch: int, workers: int
) -> dict[Setting, Sequence[Shard]]:
    """Return the shards of each setting, in the order of their windows; a batch has ``batch`` windows.

    Settings are divided only where they leave workers idle: those that are left when each worker has had equally many.
    """
    distinct = list(dict.fromkeys(settings))
    left = len(distinct) % workers
    parts = [1] * (len(distinct) - left) + [-(-workers // left)] * left if left else [1] * len(distinct)
    return {
        setting: [Shard(setting, *span) for span in spans(n_windows, batch=batch, parts=n)]
        for setting, n in zip(distinct, parts, strict=True)
    }


def spans(n_windows: int, *, batch: int, parts: int) -> list[tuple[int, int]]:
    """Return first and stop of at most ``parts`` blocks of windows, each whole batches and about equally many."""
    n_batches = -(-n_windows // batch)
    parts = min(parts, n_batches)
    edges = [min(n_windows, n_batches * part // parts * batch) for part in range(parts + 1)]
    return list(pairwise(edges))
