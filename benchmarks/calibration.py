"""How often the instrument is right: false positives of null tests, coverage of the intervals.

    python benchmarks/calibration.py

Some hundred repeats of inputs whose truth is known. A rate is shown with its own standard error.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable

import numpy as np

from critnb.canon import SizeDef
from critnb.criticality import branching_sums, compare, multinomial_weights, null_branching, percentile_interval
from critnb.criticality import closed_forms as known
from critnb.criticality.multistep import multistep
from critnb.criticality.sizes.crackling import crackling
from critnb.criticality.sizes.exponents import estimate_exponent, exponents
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.criticality.synthetic import (
    bernoulli,
    discrete_power_law,
    driven_branching,
    persistent_rows,
    poisson_branching,
    subsample,
)
from critnb.criticality.tails import XminScan
from critnb.lattice import RASTER_NULLS

LEVEL, NOMINAL = 0.05, 0.95
SHAPE = (16, 8, 64)  # sequences, layers, tokens
REPEATS, REPLICATES, RESAMPLES = 1000, 199, 500
DENSITY, AUTOCORRELATION = 0.2, 0.3


def main() -> None:
    print(f"numpy {np.__version__}\n")
    false_positives()
    branching_coverage()
    multistep_coverage()
    exponent_coverage()
    crackling_coverage()


def rate(hits: list[bool]) -> str:
    share = float(np.mean(hits))
    return f"{100 * share:6.1f} ± {100 * np.sqrt(share * (1 - share) / len(hits)):.1f}"


def false_positives() -> None:
    print(f"null tests: share of p <= {LEVEL:g} in %, {REPEATS} rasters {SHAPE}, {REPLICATES} replicates")
    print(f"{'':48}{'b_time':>14}{'b_depth':>14}{'b_tot':>14}")
    inputs: dict[str, Callable[[int], np.ndarray]] = {
        "independent sites": lambda seed: bernoulli(DENSITY, SHAPE, seed),
        "persistent rows": lambda seed: persistent_rows(DENSITY, AUTOCORRELATION, SHAPE, seed),
    }
    for name, draw in inputs.items():
        for null_id, null in RASTER_NULLS.items():
            rejected = {statistic: [] for statistic in ("b_time", "b_depth", "b_tot")}
            for seed in range(REPEATS):
                for statistic, p in p_values(draw(seed), null_id, seed).items():
                    rejected[statistic].append(p <= LEVEL)
            print(f"{name + ', ' + null.name:48}" + "".join(f"{rate(hits):>14}" for hits in rejected.values()))
    print("persistent rows are no null of the permutation (b_time, b_tot: its power); their layers are independent,")
    print("so b_depth, and the circular shift up to its seam, are null\n")


def p_values(occupied: np.ndarray, null_id: str, seed: int) -> dict[str, float]:
    counts = occupied.astype(np.uint16)
    seq_id = np.arange(len(counts), dtype=np.int32)
    key = str(seed).encode()
    null = null_branching(counts, seq_id, null_id, seed=1, condition_key=key, replicates=range(REPLICATES)).pooled()
    real = branching_sums(counts).pooled()
    names = ("b_time", "b_depth", "b_tot")
    return {name: compare(float(getattr(real, name)), getattr(null, name)).p_one_sided for name in names}


def branching_coverage() -> None:
    print(f"sequence bootstrap of b_tot: share of 95 % intervals that hold the truth in %, {REPEATS} repeats")
    for n in (24, 48, 96):
        shape, weights = (REPEATS, n, 8, 64), multinomial_weights(n, RESAMPLES, seed=1337)
        for name, rasters, truth in (
            ("independent sites", bernoulli(DENSITY, shape, seed=n), 2 * DENSITY),
            (
                "persistent rows",
                persistent_rows(DENSITY, AUTOCORRELATION, shape, seed=n),
                2 * DENSITY + AUTOCORRELATION * (1 - DENSITY),
            ),
        ):
            interval = percentile_interval(branching_sums(rasters).weighted(weights).b_tot)
            print(f"{f'{name}, {n} sequences':48}{rate(list((interval.low <= truth) & (truth <= interval.high))):>14}")
    print()


def multistep_coverage() -> None:
    repeats = REPEATS // 2
    print(f"multistep regression: m of 95 % intervals that hold the truth in %, {repeats} repeats")
    print(f"{'':48}{'with offset':>14}{'mean m':>9}{'without':>14}{'mean m':>9}")
    uneven = np.linspace(1, 5, 96)
    inputs = (
        ("96 x 128, m = 0.7", (96, 1, 128), 0.7, 3.0, 1.0),
        ("96 x 128, m = 0.9, 10 % seen", (96, 1, 128), 0.9, 3.0, 0.1),
        ("96 x 128, m = 0.98, 10 % seen", (96, 1, 128), 0.98, 3.0, 0.1),
        ("96 x 512, m = 0.98, 10 % seen", (96, 1, 512), 0.98, 3.0, 0.1),
        ("96 x 128, m = 0.9, drives of 1 to 5", (96, 1, 128), 0.9, uneven, 1.0),
        ("48 x 128, m = 0.9, 10 % seen", (48, 1, 128), 0.9, 3.0, 0.1),
        ("depth: 96 x 32 tokens x 8 layers, m = 0.7", (96, 32, 8), 0.7, 1.0, 1.0),
        ("depth: 96 x 32 tokens x 24 layers, m = 0.7", (96, 32, 24), 0.7, 1.0, 1.0),
    )
    for name, shape, m, drive, p in inputs:
        print(f"{name:48}", end="", flush=True)
        for found in covered(shape, m, drive, p, repeats):
            print(f"{found}", end="", flush=True)
        print()
    print()


def covered(shape: tuple[int, ...], m: float, drive: float | np.ndarray, p: float, repeats: int) -> list[str]:
    weights = multinomial_weights(shape[0], RESAMPLES, seed=1337)
    held: dict[bool, list[bool]] = {True: [], False: []}
    estimates: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(repeats):
        drawn = driven_branching(
            m, np.repeat(np.broadcast_to(drive, shape[0]), shape[1]), shape[2], shape[0] * shape[1], seed
        )
        activity = subsample(drawn, p, seed=seed + repeats).reshape(shape)
        for offset in held:
            fit = multistep(activity, weights=weights, offset=offset)
            held[offset].append(fit.m_ci_low <= m <= fit.m_ci_high)
            estimates[offset].append(fit.m)
    return [f"{rate(held[offset]):>14}{np.nanmean(estimates[offset]):9.4f}" for offset in held]


def exponent_coverage() -> None:
    repeats, windows, lattice = 300, 96, Lattice(24, 256, 1)
    largest = lattice.largest_size(SizeDef.SIZE_EVENTS, inside=True)
    print(
        f"tau_S of power laws on 1 to {largest}: share of 95 % intervals that hold the truth in %, {repeats} repeats of"
    )
    print(f"{windows} windows with 20 avalanches each on average")
    print(f"{'':48}{'xmin scanned':>14}{'mean':>9}{'xmin known':>14}{'mean':>9}")
    weights = multinomial_weights(windows, RESAMPLES, seed=1337)
    for name, alpha, xmin in (("1.5", 1.5, 1), ("2.5", 2.5, 1), ("2.5 from 5 on, evenly spread below", 2.5, 5)):
        found = {"scanned": [], "known": []}
        for seed in range(repeats):
            sample = power_law_sample(alpha, xmin, windows, largest, seed)
            whole = exponents(sample, weights, lattice=lattice, size_def=SizeDef.SIZE_EVENTS)
            found["scanned"].append((whole.tau_S.value, *whole.tau_S.interval))
            support = XminScan(xmin, alpha, np.nan, len(sample), available=True, reason="")
            fixed = estimate_exponent(sample.size, sample.sequence, support, largest, weights)
            found["known"].append((np.median(fixed.replicates), *fixed.interval))
        print(f"{name:48}", end="")
        for triples in found.values():
            value, low, high = np.array(triples).T
            print(f"{rate(list((low <= alpha) & (alpha <= high))):>14}{value.mean():9.4f}", end="", flush=True)
        print()
    print("scanned: the interval holds the xmin that the scan chose fixed; known: the whole power law\n")


def power_law_sample(alpha: float, xmin: int, windows: int, largest: int, seed: int) -> AvalancheSample:
    """Independent avalanches; half of them below xmin where it is above one."""
    rng = np.random.default_rng(seed)
    sequence = np.repeat(np.arange(windows), rng.poisson(20, windows))
    size = discrete_power_law(alpha, len(sequence), xmin=xmin, xmax=largest, seed=seed)
    if xmin > 1:
        size = np.where(rng.random(len(size)) < 0.5, size, rng.integers(1, xmin, len(size)))
    duration = discrete_power_law(2.0, len(sequence), xmax=100, seed=seed + 10_000)
    return AvalancheSample(size, duration, sequence, np.zeros(len(size), dtype=np.bool_))


def crackling_coverage() -> None:
    repeats, windows, durations = REPEATS // 2, 96, np.arange(3, 13)
    sizes = known.mean_size_by_duration(12)
    truth = float(np.polyfit(np.log(durations), np.log(sizes[durations - 1]), 1)[0])
    print(
        f"crackling: share of 95 % intervals of gamma at durations 3 to 12 that hold {truth:.4f} in %, {repeats} repeats"
    )
    weights = multinomial_weights(windows, RESAMPLES, seed=1337)
    for n in (2_000, 5_000, 20_000):
        found = []
        for seed in range(repeats):
            runs = poisson_branching(n, 1.0, max_generations=12, seed=seed)
            used = np.flatnonzero(runs.durations <= 12)
            sample = AvalancheSample(
                runs.sizes[used], runs.durations[used], used % windows, np.zeros(len(used), dtype=np.bool_)
            )
            slope = crackling(sample, weights)
            if len(slope.durations) == len(durations):
                found.append((slope.gamma, slope.ci_low, slope.ci_high))
        gamma, low, high = np.array(found).T
        name = f"{n} critical runs in {windows} windows"
        print(f"{name:48}{rate(list((low <= truth) & (truth <= high))):>14}{gamma.mean():9.4f}")
    print()


if __name__ == "__main__":
    main()
