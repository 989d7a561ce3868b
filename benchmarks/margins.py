"""How fast the chain behind the fixed-margins null forgets the raster that it starts from.

The number is the share of the start's excess of depth pairs that is left after k global trades: (E[pairs after k] - mean) /
(pairs at the start - mean), pairs summed over windows, the mean over rasters 60 global trades away. A replicate lies 2
MARGIN_TRADES away from the real raster. Beside it the correlation of a window's pairs with those k trades before, within the
law itself.

    python benchmarks/margins.py [RUN ...]      rasters of finished runs of S03 at gain 1, beside made ones
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

import numpy as np

from critnb.canon import CANON, Intervention, SpikeDef
from critnb.criticality.synthetic import persistent_rows
from critnb.lattice.bits import pack
from critnb.lattice.kernels import trade_planes
from critnb.lattice.randomness import words
from critnb.pipeline.artifacts import load_raster
from critnb.runs import RunStore

TRADES = (1, 2, 3, 4, 5, 6, 8, 12)
FAR, REPEATS = 60, 24
# an excess of fewer standard deviations is not followed
_LEAST = 5


def traded(start, trades, stream):
    """Rows [N, L, W] of every window after global trades, each window with its own key."""
    rows = start.copy()
    trade_planes(rows, trades, words(np.uint64(stream), np.arange(len(rows))))
    return rows


def pairs(rows):
    """Depth pairs of every window [N] of packed rows."""
    return np.bitwise_count(rows[:, :-1] & rows[:, 1:]).sum(axis=(1, 2), dtype=np.int64)


def forgotten(occupied):
    """Per number of trades: the share of the start's excess that is left, its error, and the correlation within the law."""
    start = pack(occupied)
    far = [traded(start, FAR, 1_000 + r) for r in range(REPEATS)]
    of_far = np.array([pairs(rows) for rows in far])
    mean = of_far.mean(axis=0)
    excess = pairs(start).sum() - mean.sum()
    error_of_mean = of_far.sum(axis=1).std(ddof=1) / np.sqrt(REPEATS)
    found = []
    for k in TRADES:
        after = np.array([pairs(traded(start, k, 2_000 + 100 * k + r)).sum() for r in range(REPEATS)])
        error = np.hypot(after.std(ddof=1) / np.sqrt(REPEATS), error_of_mean)
        on = np.array([pairs(traded(rows, k, 9_000 + 100 * k + r)) for r, rows in enumerate(far)])
        correlation = np.corrcoef((of_far - mean).ravel(), (on - on.mean(axis=0)).ravel())[0, 1]
        found.append(((after.mean() - mean.sum()) / excess, error / abs(excess), correlation))
    sigma = excess / of_far.sum(axis=1).std(ddof=1)
    return sigma, found


def made():
    """Rasters [N, L, T] of which the chain has most to forget."""
    rng = np.random.default_rng(1)
    shape = (96, 24, 256)
    yield "made, rows that persist in depth", np.moveaxis(persistent_rows(0.1, 0.7, (96, 256, 24), seed=1), 1, 2)
    rate = np.where(np.arange(256) < 4, 0.6, 0.08)
    yield "made, hot first tokens", rng.random(shape) < rate
    same = np.repeat(rng.random((96, 12, 256)) < 0.1, 2, axis=1)
    yield "made, every layer twice", same
    yield "made, 4 layers twice", np.repeat(rng.random((96, 4, 128)) < 0.2, 2, axis=1)


def measured(paths):
    for path in map(Path, paths):
        run = RunStore(path.parent).open(path.name)
        raster = load_raster(run)
        name = str((run.record.model or {})["id"]).rsplit("/", 1)[-1]
        for cond_id in raster.conditions.where(
            intervention_id=Intervention.MLP_GLOBAL, gain=1.0, spike_def_id=SpikeDef.SPIKE_ONE_SIDED_POS
        ):
            yield f"{name}, rate {raster.conditions[cond_id].target_rate:g}", raster.counts[cond_id] > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="*")
    given = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; MARGIN_TRADES {CANON.CONST.MARGIN_TRADES}"
    )
    print("per raster: what is left of the start's excess of depth pairs after k global trades, in %, and below it the")
    print("correlation, in %, of a window's pairs with those k trades before, within the law\n")
    print(f"{'raster':34s}{'L x T':>10s}{'occup.':>8s}{'excess':>9s}  " + "".join(f"{k:>7d}" for k in TRADES) + "   +-")
    for name, occupied in (*made(), *measured(given.runs)):
        sigma, found = forgotten(occupied)
        _, layers, tokens = occupied.shape
        head = f"{name:34s}{f'{layers} x {tokens}':>10s}{occupied.mean():8.1%}{sigma:7.0f} sd  "
        shown = "".join(f"{100 * left:7.1f}" for left, _, _ in found) + f"{100 * found[-1][1]:6.1f}"
        print(head + (shown if sigma >= _LEAST else "  no excess to follow"), flush=True)
        print(" " * len(head) + "".join(f"{100 * each:7.1f}" for _, _, each in found), flush=True)


if __name__ == "__main__":
    main()
