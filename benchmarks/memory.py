"""What a raster takes in memory at a size that laptops are not asked for: held, written, read, and analysed as S05 does.

    python benchmarks/memory.py [--windows 4096] [--conditions 120] > benchmarks/memory.txt

Synthetic counts, for no model is at hand that would take hours to give them: Poisson events at every site, drawn a window at a
time. Each part has a process of its own, whose peak resident memory is told beside what the counts come to as uint16. Sizes are
analysed for a few conditions, one after the other as in a run; what one takes is gone before the next.
"""

from __future__ import annotations

import measuring

# isort: split
import argparse
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from critnb.canon import Adjacency
from critnb.criticality import Lattice, condition_metrics, multinomial_weights
from critnb.criticality.diagonals import diagonal_steps
from critnb.criticality.sizes.analysis import Settings, SizeShard, analyse_sizes
from critnb.criticality.sizes.scaling import critical_pool
from critnb.criticality.summary import AvalancheSummary, avalanche_frames
from critnb.criticality.synthetic import one_condition_raster
from critnb.lattice import PRIMARY, ConditionTable, HeldPlanes, Raster, marginals_exact, null_when_asked
from critnb.pipeline.artifacts import read_raster
from critnb.runs.encoding import npz_bytes, parquet_writer

LAYERS, TOKENS, UNITS = 32, 256, 11008
RATE = 2e-5  # events a unit: some .2 a site
ANALYSED, RESAMPLES = 2, 200
ADJACENCY = Adjacency.ADJ_4N


def conditions(n: int) -> ConditionTable:
    (one,) = one_condition_raster(np.zeros((1, 1, 1), dtype=np.uint16)).conditions
    return ConditionTable(replace(one, gain=1 + i / 1024) for i in range(n))


def plane(cond_id: int, windows: int) -> npt.NDArray[np.uint16]:
    rng = np.random.default_rng(cond_id)
    counts = np.empty((windows, LAYERS, TOKENS), dtype=np.uint16)
    for window in counts:
        window[...] = rng.poisson(RATE * UNITS, window.shape)
    return counts


def held(windows: int, n: int) -> Raster:
    planes = (plane(cond_id, windows) for cond_id in range(n))
    counts = HeldPlanes.of(planes, (windows, LAYERS, TOKENS))
    tokens = np.zeros((windows, TOKENS), dtype=np.int32)
    return Raster(counts, conditions(n), np.arange(windows, dtype=np.int32), tokens)


def write(folder: Path, windows: int, n: int) -> None:
    (folder / "raster.npz").write_bytes(npz_bytes(held(windows, n).arrays()))


def read(folder: Path, _: int, n: int) -> Raster:
    return read_raster((folder / "raster.npz").read_bytes(), conditions(n))


def branching(folder: Path, windows: int, n: int) -> None:
    raster = read(folder, windows, n)
    condition_metrics(raster)
    diagonal_steps(raster.counts, multinomial_weights(windows, RESAMPLES, 1))
    permuted = null_when_asked(raster, PRIMARY, seed=1)
    marginals_exact(raster, permuted)
    for each in (raster, permuted):
        AvalancheSummary.of(each, ADJACENCY)


def avalanches(folder: Path, windows: int, n: int) -> None:
    with (folder / "avalanches.parquet").open("wb") as sink:
        parquet_writer(avalanche_frames(read(folder, windows, n), ADJACENCY))(sink)


def sizes(folder: Path, windows: int, n: int) -> None:
    raster, lattice = read(folder, windows, n), Lattice(LAYERS, TOKENS, UNITS)
    pool = critical_pool(lattice, cascades=20_000, seed=1)
    settings = Settings(lattice, ADJACENCY, multinomial_weights(windows, RESAMPLES, 1), pool, p_replicates=20)
    shards = [SizeShard(raster.take([i])) for i in range(min(n, ANALYSED))]
    deque(_analysed(shards, settings), maxlen=0)


def _analysed(shards: list[SizeShard], settings: Settings) -> Iterator[None]:
    for shard in shards:
        analyse_sizes(shard, settings)
        yield


PARTS: dict[str, tuple[str, Callable[[Path, int, int], object]]] = {
    "write": ("held as S03 does, and written", write),
    "read": ("read", read),
    "branching": ("read; branching, diagonals, avalanches counted, beside one null", branching),
    "avalanches": ("read; every avalanche written as a row", avalanches),
    "sizes": (f"read; sizes and durations of {ANALYSED} conditions", sizes),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=4096)
    parser.add_argument("--conditions", type=int, default=120)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    size = ["--windows", str(given.windows), "--conditions", str(given.conditions)]
    if given.part:
        started = time.process_time()
        PARTS[given.part][1](given.folder, given.windows, given.conditions)
        print(f"{measuring.peak():8.0f}{time.process_time() - started:8.0f}")
        return
    sites = given.conditions * given.windows * LAYERS * TOKENS
    print(measuring.machine())
    print(
        f"{given.conditions} conditions, {given.windows} windows, {LAYERS} layers, {TOKENS} tokens: {sites:.2e} sites, "
        f"{2 * sites / 2**20:.0f} MiB as uint16; {RATE * UNITS:.2g} events a site"
    )
    print("peak, MiB  processor seconds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for part, (words, _) in PARTS.items():
            command = [sys.executable, str(Path(__file__).resolve()), *size, "--part", part, "--folder", folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            print(f"{done.stdout.rstrip()}   {words}", flush=True)


if __name__ == "__main__":
    main()
