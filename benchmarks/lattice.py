"""Avalanches, nulls and bootstrap against plain-Python twins, in one run: ``python benchmarks/lattice.py``.

The twins do the same work on a small part of the same raster; both times are per site (and replicate), so they compare.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import platform
import random
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy

from critnb.canon import CANON, Adjacency, NullId
from critnb.criticality import branching_sums, find_avalanches, label_sites, multinomial_weights, null_branching
from critnb.criticality.synthetic import bernoulli

SEQUENCES, LAYERS, TOKENS = 48, 8, 128
DENSITY = 0.2
STREAM = {"seed": 1337, "condition_key": b"benchmark"}


def best_ns(work: Callable[[], object], units: int, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) / units * 1e9


def plain_avalanches(plane: list[list[int]]) -> list[tuple[int, ...]]:
    layers, tokens = len(plane), len(plane[0])
    seen = [[False] * tokens for _ in range(layers)]
    rows = []
    for token in range(tokens):
        for layer in range(layers):
            if not plane[layer][token] or seen[layer][token]:
                continue
            seen[layer][token] = True
            queue, sites = deque([(layer, token)]), []
            while queue:
                at_l, at_t = queue.popleft()
                sites.append((at_l, at_t))
                for to_l, to_t in ((at_l, at_t + 1), (at_l, at_t - 1), (at_l + 1, at_t), (at_l - 1, at_t)):
                    inside = 0 <= to_l < layers and 0 <= to_t < tokens
                    if inside and plane[to_l][to_t] and not seen[to_l][to_t]:
                        seen[to_l][to_t] = True
                        queue.append((to_l, to_t))
            ls, ts = zip(*sites, strict=True)
            rows.append((sum(plane[a][b] for a, b in sites), len(sites), min(ts), max(ts), min(ls), max(ls)))
    return rows


def plain_sums(plane: list[list[int]]) -> tuple[int, int, int, int]:
    time_pairs = time_sites = depth_pairs = depth_sites = 0
    for layer, row in enumerate(plane):
        for token, site in enumerate(row):
            if site and token < len(row) - 1:
                time_sites += 1
                time_pairs += row[token + 1] > 0
            if site and layer < len(plane) - 1:
                depth_sites += 1
                depth_pairs += plane[layer + 1][token] > 0
    return time_pairs, time_sites, depth_pairs, depth_sites


def plain_permutation(plane: list[list[int]], rng: random.Random) -> tuple[int, int, int, int]:
    return plain_sums([rng.sample(row, len(row)) for row in plane])


def plain_shift(plane: list[list[int]], rng: random.Random) -> tuple[int, int, int, int]:
    offsets = [rng.randrange(1, len(row)) for row in plane]
    return plain_sums([row[-k:] + row[:-k] for row, k in zip(plane, offsets, strict=True)])


def plain_resample(sums: list[list[int]], rng: random.Random) -> float:
    picks = [sums[rng.randrange(len(sums))] for _ in sums]
    total = [sum(column) for column in zip(*picks, strict=True)]
    return total[0] / total[1] + total[2] / total[3]


def main() -> None:
    counts = bernoulli(DENSITY, (SEQUENCES, LAYERS, TOKENS), seed=1).astype(np.uint16)
    seq_id = np.arange(SEQUENCES, dtype=np.int32)
    planes = counts[:4].tolist()
    rng = random.Random(1)
    reps, sites, few = 40, counts.size, counts[:4].size
    sums = branching_sums(counts)
    per_sequence = np.stack(list(sums.arrays().values()), axis=1).tolist()
    resamples = CANON.CONST.BOOTSTRAP_REPS

    def null(null_id: NullId) -> Callable[[], object]:
        return lambda: null_branching(counts, seq_id, null_id, replicates=range(reps), **STREAM)

    def resample() -> object:
        return sums.weighted(multinomial_weights(SEQUENCES, resamples, seed=1)).b_tot

    table = [
        (
            "avalanches, ADJ_4N, ns/site",
            best_ns(lambda: find_avalanches(counts, seq_id, Adjacency.ADJ_4N), sites, 7),
            best_ns(lambda: [plain_avalanches(plane) for plane in planes], few, 3),
        ),
        (
            "site labels, ADJ_4N, ns/site",
            best_ns(lambda: label_sites(counts, seq_id, Adjacency.ADJ_4N), sites, 7),
            best_ns(lambda: [plain_avalanches(plane) for plane in planes], few, 3),
        ),
        (
            "branching sums, ns/site",
            best_ns(lambda: branching_sums(counts), sites, 7),
            best_ns(lambda: [plain_sums(plane) for plane in planes], few, 3),
        ),
        (
            "permutation null, ns/site/replicate",
            best_ns(null(NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM), sites * reps, 3),
            best_ns(lambda: [plain_permutation(plane, rng) for plane in planes], few, 3),
        ),
        (
            "circular-shift null, ns/site/replicate",
            best_ns(null(NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT), sites * reps, 3),
            best_ns(lambda: [plain_shift(plane, rng) for plane in planes], few, 3),
        ),
        (
            "sequence bootstrap of b_tot, ns/replicate",
            best_ns(resample, resamples, 7),
            best_ns(lambda: [plain_resample(per_sequence, rng) for _ in range(50)], 50, 3),
        ),
    ]
    report(table)


def report(table: list[tuple[str, float, float]]) -> None:
    cpus = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in cpus if line.startswith("model name")), platform.processor())
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{model}, {os.cpu_count()} cores, load {load}; one thread; Python {platform.python_version()}, ", end="")
    print(f"numpy {np.__version__}, scipy {scipy.__version__}")
    print(f"raster {SEQUENCES} x {LAYERS} x {TOKENS}, density {DENSITY}; best of 3 to 7\n")
    print(f"{'':44}{'critnb':>10}{'plain Python':>15}{'ratio':>9}")
    for name, ours, plain in table:
        print(f"{name:44}{ours:10.1f}{plain:15.1f}{plain / ours:8.0f}x")


if __name__ == "__main__":
    main()
