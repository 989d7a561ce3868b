"""How often a g* is called identified: where b_tot is equal at all gains, and where one gain is clearly the best.

    python benchmarks/gstar.py

Independent sites at nine gains, 64 windows of 8 layers x 64 tokens. *Shared*: a share of all sites is the same draw at every gain,
as rasters of one text are. *Window rates*: each window's density is multiplied by a gamma variable of mean one, shape four. The
last column is the rule of before: one gain chosen in at least half of the bootstrap replicates.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Sequence

import numpy as np

from critnb.criticality import BranchingSums, branching_sums, select_gstar

GAINS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)
SHAPE = (64, 8, 64)  # windows, layers, tokens
SAMPLES, RESAMPLES = 400, 500
SHARED = 0.7
# words, b_tot at every gain
EQUAL = (("b = 0.2", [0.2] * 9), ("b = 0.6", [0.6] * 9), ("b = 1", [1.0] * 9), ("b = 1.2", [1.2] * 9))
UNEQUAL = (
    ("one gain at 1, others 0.9", [0.9] * 4 + [1.0] + [0.9] * 4),
    ("one gain at 1, others 0.95", [0.95] * 4 + [1.0] + [0.95] * 4),
    ("0.6 to 1.4, slope 1", list(GAINS)),
    ("two gains at 0.8, others 0.7", [0.7] * 7 + [0.8] * 2),
)


def sample(rng: np.random.Generator, b_tot: Sequence[float], *, shared: float, rates: bool) -> BranchingSums:
    """Return the branching sums [G, N] of rasters of independent sites, of density b_tot / 2."""
    windows = rng.gamma(4, 0.25, SHAPE[0]) if rates else np.ones(SHAPE[0])
    # independent sites have b_tot = twice the density that an active site sees: E[w^2] / E[w] = 1.25 of the mean
    seen = 1.25 if rates else 1.0
    common, is_common = rng.random(SHAPE), rng.random(SHAPE) < shared
    sums = []
    for b in b_tot:
        density = np.clip(b / 2 / seen * windows, 0, 0.98)[:, None, None]
        drawn = np.where(is_common, common, rng.random(SHAPE))
        sums.append(branching_sums(drawn < density))
    return BranchingSums.stack(sums)


def rate(b_tot: Sequence[float], *, shared: float, rates: bool) -> tuple[float, float, float, float]:
    """Return the shares of samples: identified, some gain ruled out, a best gain ruled out, one gain in half of the replicates."""
    rng = np.random.default_rng(1)
    best = [g for g, b in zip(GAINS, b_tot, strict=True) if np.isclose(abs(b - 1), min(abs(b - 1) for b in b_tot))]
    found = []
    for _ in range(SAMPLES):
        sums = sample(rng, b_tot, shared=shared, rates=rates)
        choice = select_gstar(GAINS, sums, baseline=1.0, replicates=RESAMPLES, seed=1337)
        left = choice.confidence_set
        found.append(
            (choice.identified, len(left) < len(GAINS), not set(best) <= set(left), max(choice.chosen_share) >= 0.5)
        )
    return tuple(np.mean(found, axis=0).tolist())


def main() -> None:
    """Print one line per truth."""
    print(
        f"{SAMPLES} samples each; the standard error of a rate of 5 % is {100 * np.sqrt(0.05 * 0.95 / SAMPLES):.1f} %"
    )
    print(
        f"{'truth':<30}{'shared':>8}{'rates':>8}{'identified':>12}{'any out':>10}{'a best out':>12}{'half of replicates':>20}"
    )
    for words, b_tot in (*EQUAL, *UNEQUAL):
        for shared in (0.0, SHARED):
            for rates in (False, True):
                shares = rate(b_tot, shared=shared, rates=rates)
                cells = "".join(
                    f"{100 * share:>{width - 2}.1f} %" for share, width in zip(shares, (12, 10, 12, 20), strict=True)
                )
                print(f"{words:<30}{shared:>8g}{'window' if rates else 'equal':>8}{cells}", flush=True)


if __name__ == "__main__":
    main()
