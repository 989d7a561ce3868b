"""What tests let workers do: modules of tests are not importable there by the names that pytest gives them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from critnb.errors import NonFiniteError


def square(x: int) -> int:
    return x * x


@dataclass(frozen=True)
class Counting:
    """Leaves a file in ``folder`` for every try; the shards in ``bad`` raise, those in ``deadly`` kill their worker."""

    folder: Path
    bad: tuple[int, ...] = ()
    deadly: tuple[int, ...] = ()
    deaths: int = 1000

    def __call__(self, shard: int) -> np.ndarray:
        tries = len(list(self.folder.glob(f"{shard}-*")))
        (self.folder / f"{shard}-{tries}").touch()
        if shard in self.deadly and tries < self.deaths:
            # what the worker did before is told to the scheduler meanwhile, and not lost with it
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGKILL)
        if shard in self.bad:
            raise NonFiniteError(f"shard {shard} is not finite")
        return np.arange(shard)

    def tries(self, shard: int) -> int:
        return len(list(self.folder.glob(f"{shard}-*")))


@dataclass
class CountedPasses:
    """Passes of no model: a shard reports what it likes."""

    windows_run: int = 0
    threads: int = 1

    def here(self) -> CountedPasses:
        return CountedPasses()

    @contextmanager
    def reporting(self, on_done) -> Iterator[None]:
        self.report = on_done
        yield


def two_batches(passes: CountedPasses, shard: int) -> int:
    for _ in range(2):
        passes.windows_run += 3
        passes.report(3)
    return shard
