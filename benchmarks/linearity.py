"""How the work of S02 to S05 grows with windows and with gains, all else fixed, and what memory it takes.

    python benchmarks/linearity.py [--repeats 3] > benchmarks/linearity.txt

The embedded model on the embedded corpus: S02 matches rates, S03 extracts with these thresholds, S04 draws and counts all
raster nulls, S05 summarises branching and analyses sizes. Each number of windows or gains has a process of its own, in turn.
The slope is that of log time over log number, by least squares over all repeats, with its standard error; ``last``: the slope
between the two largest numbers alone, which what is paid once flatters least. Linear is 1, and 1.05 is the aim.
"""

from __future__ import annotations

import measuring

# isort: split
import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from critnb import data
from critnb.canon import DatasetRole, ModelRole
from critnb.criticality import Lattice, NullSample, multinomial_weights, null_branching, summarise
from critnb.criticality.sizes.analysis import Settings, SizeShard, analyse_sizes
from critnb.criticality.sizes.scaling import critical_pool
from critnb.events import RateTargets, base_rates, calibrate, extract, match_rates
from critnb.lattice import PRIMARY, RASTER_NULLS, null_when_asked
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.loading import load as load_model
from critnb.model.windows import corpus_windows
from critnb.params import load
from critnb.stages.shared.conditions import conditions_of, held, raster_of

WINDOWS, GAINS = (32, 64, 128, 256, 512), (1, 2, 4, 8)
OF_WINDOWS, OF_GAINS, FEW = 2, 32, 8  # gains where windows vary, windows where gains vary, windows to warm up
RATE, NULLS, RESAMPLES, CALIBRATED = 6e-4, 200, 200, 64
STAGES = ("S02", "S03", "S04", "S05")


@dataclass
class Work:
    """The stages on N windows at G gains; each takes what the one before it left."""

    windows: int
    gains: int
    model: Any
    tokens: Any
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, windows: int, gains: int) -> Work:
        loaded = load("base.yaml", {})
        model = load_model(data.model_files(loaded, ModelRole.BASE), loaded.params.compute)
        corpus = corpus_windows(data.documents(loaded, DatasetRole.A), model.tokenizer, loaded.params.windows.seq_len)
        order = np.random.default_rng(1).permutation(len(corpus))[: CALIBRATED + 2 * windows]
        work = cls(windows, gains, model, corpus[order])
        work.calibrate(loaded.params)
        return work

    def calibrate(self, params: Any) -> None:
        self.params = params
        self.passes = ForwardPasses(self.model, batch_tokens=params.compute.batch_tokens)
        fitted = self.tokens[:CALIBRATED]
        self.calibration = calibrate(self.passes, fitted)
        kinds = tuple(params.events.spike_defs)
        base = base_rates(self.passes, fitted, self.calibration, kinds, params.events.tau0)
        self.targets = RateTargets(params.events.tau0, self.model.n_units, base, (RATE,))
        self.settings = [Setting(gain=gain) for gain in np.linspace(0.9, 1.1, self.gains).round(3).tolist()]
        self.fitted = self.tokens[CALIBRATED : CALIBRATED + self.windows]
        self.held_out = self.tokens[CALIBRATED + self.windows :]

    def s02(self) -> None:
        bounds: dict[Any, Any] = {}
        self.found["tau"] = [
            match_rates(self.passes, self.fitted, self.calibration, self.targets, each, first_bounds=bounds)[0].tau
            for each in self.settings
        ]

    def s03(self) -> None:
        kinds = tuple(self.targets.base)
        counts = [
            held(extract(self.passes, self.held_out, self.calibration, tau, kinds, each))
            for each, tau in zip(self.settings, self.found["tau"], strict=True)
        ]
        conditions = conditions_of(self.settings, model_role=ModelRole.BASE, spike_defs=kinds, rates=(RATE,))
        self.found["raster"] = raster_of(counts, conditions, np.arange(self.windows, dtype=np.int32), self.held_out)

    def s04(self) -> None:
        raster, seed = self.found["raster"], self.params.nulls.seed
        self.found["nulls"] = {
            null_id: NullSample.of(
                null_branching(
                    counts, raster.seq_id, null_id, seed=seed, condition_key=condition.key(), replicates=range(NULLS),
                    tokens=raster.tokens,
                )
                for counts, condition in zip(raster.counts, raster.conditions, strict=True)
            )
            for null_id in RASTER_NULLS
        }  # fmt: skip

    def s05(self) -> None:
        raster, analysis, seed = self.found["raster"], self.params.analysis, self.params.nulls.seed
        permuted = null_when_asked(raster, PRIMARY, seed=seed)
        of_bootstrap: dict[str, Any] = {"replicates": RESAMPLES, "seed": 1}
        summarise(raster, self.found["nulls"], permuted=permuted, adjacency=analysis.adjacency, **of_bootstrap)
        lattice = Lattice(self.model.n_layers, raster.counts.shape[-1], self.model.n_units)
        weights = multinomial_weights(self.windows, RESAMPLES, 1)
        settings = Settings(lattice, analysis.adjacency, weights, self.found["critical"], p_replicates=20)
        for i in range(len(raster.conditions)):
            analyse_sizes(SizeShard(raster.take([i]), 20), settings)

    def steps(self) -> dict[str, Callable[[], None]]:
        """Return what each stage does; the critical cascades of S05 are paid once however many windows there are."""
        lattice = Lattice(self.model.n_layers, self.fitted.shape[1], self.model.n_units)
        self.found["critical"] = critical_pool(lattice, cascades=20_000, seed=1)
        return {name: getattr(self, name.lower()) for name in STAGES}

    def measure(self, repeats: int) -> dict[str, Any]:
        """Return the processor seconds of each stage in every repeat, the peak memory in each, and the raster's size in MiB."""
        few = Work(FEW, 1, self.model, self.tokens[: CALIBRATED + 2 * FEW])
        few.calibrate(self.params)
        for step in few.steps().values():  # loads compiled code
            step()
        steps = self.steps()
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        peaks: dict[str, float] = {}
        for _ in range(repeats):
            for name, step in steps.items():
                measuring.reset_peak()
                started = time.process_time()
                step()
                seconds[name].append(time.process_time() - started)
                peaks[name] = max(peaks.get(name, 0.0), measuring.peak())
        return {"seconds": seconds, "peaks": peaks, "raster": self.found["raster"].counts.size / 2**20}  # a byte a site


def in_a_process(windows: int, gains: int, repeats: int) -> dict[str, Any]:
    words = ["--windows", str(windows), "--gains", str(gains), "--repeats", str(repeats)]
    command = [sys.executable, str(Path(__file__).resolve()), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def slope(sizes: tuple[int, ...], times: list[list[float]]) -> tuple[float, float, float]:
    """Return the slope over all repeats, its standard error, and the slope of medians between the two largest sizes."""
    x = np.log(np.repeat(sizes, [len(each) for each in times]))
    y = np.log(np.concatenate(times))
    across = x - x.mean()
    found = float(across @ y / (across @ across))
    rest = y - y.mean() - found * across
    error = float(np.sqrt(rest @ rest / (len(x) - 2) / (across @ across)))
    last = np.log(np.median(times[-1]) / np.median(times[-2])) / np.log(sizes[-1] / sizes[-2])
    return found, error, float(last)


def report(word: str, sizes: tuple[int, ...], found: list[dict[str, Any]]) -> None:
    print(
        f"\n{word + ', processor seconds':24}" + "".join(f"{size:>18}" for size in sizes) + f"{'slope':>18}{'last':>7}"
    )
    for name in STAGES:
        times = [each["seconds"][name] for each in found]
        cells = [f"{np.median(each):.2f} [{min(each):.2f} {max(each):.2f}]" for each in times]
        fitted, error, last = slope(sizes, times)
        of_slope = f"{fitted:.3f} ± {error:.3f}"
        print(f"  {name:22}" + "".join(f"{cell:>18}" for cell in cells) + f"{of_slope:>18}{last:7.2f}")
    print(f"{'peak memory, MiB':24}")
    for name in STAGES:
        print(f"  {name:22}" + "".join(f"{each['peaks'][name]:18.0f}" for each in found))
    print(f"  {'of which raster':22}" + "".join(f"{each['raster']:18.1f}" for each in found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--windows", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--gains", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.windows:
        print(json.dumps(Work.of(given.windows, given.gains).measure(given.repeats)))
        return
    print(measuring.machine("torch"))
    print(
        f"embedded BASE, windows of 128 tokens, one rate, two spike definitions, {len(RASTER_NULLS)} nulls of {NULLS} replicates"
    )
    print(f"{RESAMPLES} resamples; median [least, most] of {given.repeats} repeats")
    report(f"windows, {OF_WINDOWS} gains", WINDOWS, [in_a_process(n, OF_WINDOWS, given.repeats) for n in WINDOWS])
    report(f"gains, {OF_GAINS} windows", GAINS, [in_a_process(OF_GAINS, g, given.repeats) for g in GAINS])


if __name__ == "__main__":
    main()
