"""What two workers gain over one process, at one thread each, on equal shards; what it costs to have them, apart.

    python benchmarks/cluster.py > benchmarks/cluster.txt

Rates of the embedded model are matched at eight gains, a shard each, by one process and by two workers in turn, five times.
Seconds are the clock's, so nothing else should be at work. Starting the workers, and their loading of the model, are shown apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

from measuring import Spread, machine
from numpy.typing import NDArray

from critnb import data
from critnb.canon import Intervention, ModelRole, SpikeDef
from critnb.engine import dask_engine, local
from critnb.events import RateTargets, base_rates, calibrate
from critnb.events.shards import MatchedRates
from critnb.model import elsewhere
from critnb.model.forward import Setting
from critnb.model.shards import Shard
from critnb.model.windows import corpus_windows
from critnb.params import load
from critnb.pipeline.workers import local_workers

GAINS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)
LENGTH = 128


def work_on(windows: int) -> tuple[elsewhere.PassesElsewhere, MatchedRates, Sequence[Shard]]:
    loaded = load("base.yaml", {"compute.device": "cpu"})
    files = data.model_files(loaded, ModelRole.BASE)
    source = elsewhere.ModelSource(loaded, ModelRole.BASE, "cpu", files.identity())
    passes = elsewhere.PassesElsewhere(source, batch_tokens=loaded.params.compute.batch_tokens)
    own = passes.here()
    tokens = tokens_of(own.model.tokenizer, loaded, windows)
    calibration = calibrate(own, tokens[:32])
    base = base_rates(own, tokens[:32], calibration, tuple(SpikeDef), 2.5)
    targets = RateTargets(2.5, own.model.n_units, base, (0.002, 0.005))
    shards = [Shard(Setting(Intervention.MLP_GLOBAL, gain), 0, windows) for gain in GAINS]
    return passes, MatchedRates(tokens, calibration, targets), shards


def tokens_of(tokenizer: Any, loaded: Any, windows: int) -> NDArray[Any]:
    from critnb.canon import DatasetRole

    return corpus_windows(data.documents(loaded, DatasetRole.A), tokenizer, LENGTH)[:windows]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--windows", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    passes, match, shards = work_on(given.windows)
    print(machine("torch", "distributed"))
    print(f"{len(shards)} settings of {given.windows} windows of {LENGTH} tokens, a shard each")
    began = time.perf_counter()
    with local_workers(given.workers) as address:
        start = time.perf_counter() - began
        engine = dask_engine(scheduler=address, name="benchmark")
        # one for each worker, which then holds the model and has compiled what it needs
        first, _ = seconds(lambda: list(engine.iter_passes(match, shards[: 2 * given.workers], passes=passes)))
        own = passes.here()
        times: dict[str, list[float]] = {"one process": [], f"{given.workers} workers": []}
        for _ in range(given.repeats):
            one, here = seconds(lambda: list(local.iter_passes(match, shards, passes=own)))
            many, there = seconds(lambda: list(engine.iter_passes(match, shards, passes=passes)))
            same = all(a[name].tobytes() == b[name].tobytes() for a, b in zip(here, there, strict=True) for name in a)
            assert same, "results differ"
            for name, spent in zip(times, (one, many), strict=True):
                times[name].append(spent)
    for name, each in times.items():
        spread = Spread.of(each)
        print(f"{name:<12} {spread.median:6.2f} s ({spread.least:.2f}-{spread.most:.2f})")
    ratios = Spread.of([one / many for one, many in zip(*times.values(), strict=True)])
    print(f"speed-up     {ratios.median:6.2f}   ({ratios.least:.2f}-{ratios.most:.2f}), same bytes")
    print(
        f"overhead     {start:6.2f} s until workers answer, {first:.2f} s for the first shards with imports and model"
    )


if __name__ == "__main__":
    main()
