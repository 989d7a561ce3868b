"""What matching the rates of one layer costs where events lie on the first token of windows, before and after a change.

    python benchmarks/matching.py --before REVISION [--repeats 2] > benchmarks/matching.txt

The rows u are made up: normal values, those of the first token of each window larger by a factor, as attention sinks
make them, or all alike. Each tree runs in a process of its own, in turn, several times; times are the processor's, the best
of them, and "bare" is one comparison of every value with a vector, which no matcher can do without.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

TOKENS, RATES = 128, (1e-4, 1e-3)
# F, windows, windows a batch, and how much larger the first token of a window is
CASES = (
    (1536, 128, 32, 1.0),
    (1536, 128, 32, 30.0),
    (18_944, 32, 16, 1.0),
    (18_944, 32, 16, 30.0),
    (512, 4096, 16, 1.0),
)
# How the time grows with the number of windows, batches of 16, and of a layer: a slope of one is linear.
STREAMS = (256, 512, 1024, 2048, 4096)
HERE = Path(__file__).resolve().parents[1]


def batches(units: int, windows: int, size: int, factor: float):
    import torch

    made = torch.Generator().manual_seed(1)
    u = torch.randn((size, TOKENS, units), generator=made)
    u[:, 0] *= factor
    for first in range(0, windows, size):
        yield first, u.roll(first, dims=2)


def measure(units: int, windows: int, size: int, factor: float) -> dict[str, object]:
    import torch

    from critnb.canon import SpikeDef
    from critnb.events import Calibration, RateTargets, match_rates
    from critnb.model.forward import Setting

    spent = 0.0

    def run(_tokens, _setting, on_units, _on_batch, *_more):
        nonlocal spent
        for first, u in batches(units, windows, size, factor):
            started = time.process_time()
            on_units(first, 0, u)
            spent += time.process_time() - started

    def compare(_first, _layer, u):
        np.count_nonzero(u.view(-1, units).numpy() > bound)

    torch.set_num_threads(1)
    bound = np.full(units, 4, dtype=np.float32)
    run(None, None, compare, None)
    bare, spent = spent, 0.0
    ones = np.ones((1, units), dtype=np.float32)
    targets = RateTargets(2.5, units, {kind: np.array([0.01]) for kind in SpikeDef}, RATES)
    passes = SimpleNamespace(run=run, burn_in=0)
    calibration = Calibration(0 * ones, ones, windows * TOKENS)
    few = SimpleNamespace(
        run=lambda _tokens, _setting, on_units, *_more: on_units(0, 0, next(batches(units, 2, 2, 1))[1]), burn_in=0
    )
    # what is loaded on first use is no part of the time
    match_rates(few, np.zeros((2, TOKENS), np.int64), calibration, targets, Setting())
    thresholds, counts = match_rates(passes, np.zeros((windows, TOKENS), np.int64), calibration, targets, Setting())
    digest = hashlib.sha256(thresholds.tau.tobytes() + counts.tobytes()).hexdigest()[:12]
    return {"bare": bare, "matching": spent, "digest": digest}


def of_tree(tree: Path, case: tuple[float, ...]) -> dict[str, object]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", default="HEAD")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case")
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(*json.loads(arguments.case))))
        return
    print(
        f"windows of {TOKENS} tokens, rates {RATES}, both spike definitions, float32, one thread; before: {arguments.before}"
    )
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "archive", arguments.before], cwd=HERE, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
        for case in CASES:
            pairs = [(of_tree(Path(folder), case), of_tree(HERE, case)) for _ in range(arguments.repeats)]
            before, after = (min(side, key=lambda one: one["matching"]) for side in zip(*pairs, strict=True))
            same = "the same" if before["digest"] == after["digest"] else "OTHER"
            units, windows, _, factor = case
            ratio = before["matching"] / after["matching"]
            print(
                f"F {units:>6}, {windows:>4} windows, first token x {factor:<4g}: bare {after['bare']:6.2f} s, before "
                f"{before['matching']:6.2f} s, after {after['matching']:6.2f} s, ratio {ratio:.1f}; "
                f"thresholds and counts {same}",
                flush=True,
            )
    grows(arguments.repeats)


def grows(repeats: int) -> None:
    times = [min(of_tree(HERE, (512, windows, 16, 1.0))["matching"] for _ in range(repeats)) for windows in STREAMS]
    slope = np.polyfit(np.log(STREAMS), np.log(times), 1)[0]
    shown = ", ".join(f"{windows} {spent:.2f} s" for windows, spent in zip(STREAMS, times, strict=True))
    print(f"F    512, by windows: {shown}; slope of the logarithms {slope:.3f}")


if __name__ == "__main__":
    main()
