"""What S01, S02 and S03 cost on top of the bare forward passes: time, forward windows and memory, all in one run.

    OMP_NUM_THREADS=1 python benchmarks/extraction.py [--only CASE] [--repeats 5] [--device cuda] > benchmarks/extraction.txt

Bare passes run the same windows, gains and batches without logits and without hooks. Each repeat runs the moments (S01), the
base rates (S01), matching (S02, with the bounds of the gain before) and extraction (S03), with bare passes before and after
each, so that a slow moment hits both. With one thread the time is that of the processor, which other processes share in,
else the clock's. Shown: median of the repeats' ratios to the bare passes, and their range. Memory: how far the peak of
resident memory lies above that of bare passes in the same process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from critnb.canon import ModelRole, SpikeDef
from critnb.data.embedded import weights_directory
from critnb.events import RateTargets, base_rates, calibrate, extract, match_rates
from critnb.model.discovery import find_taps
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.language_model import LanguageModel

RATES = (2e-4, 5e-4, 1e-3)
SEQ_LEN = 128
TAU0 = 2.5
KINDS = tuple(SpikeDef)


def embedded() -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(weights_directory(ModelRole.BASE))


def made(width: int, units: int, layers: int) -> Callable[[], LlamaForCausalLM]:
    def make() -> LlamaForCausalLM:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=1280, hidden_size=width, intermediate_size=units, num_hidden_layers=layers,
            num_attention_heads=width // 64, num_key_value_heads=width // 64, tie_word_embeddings=True,
        )  # fmt: skip
        return LlamaForCausalLM(config)

    return make


@dataclass(frozen=True)
class Case:
    name: str
    model: Callable[[], LlamaForCausalLM]
    windows: int
    batch_tokens: int
    gains: tuple[float, ...] = (1.2,)


CASES = {
    "embedded": Case("embedded BASE (width 128, F 384, 8 layers)", embedded, 64, 4096, (0.8, 1.0, 1.2)),
    "512": Case("width 512, F 1536, 2 layers", made(512, 1536, 2), 64, 4096),
    "1024": Case("width 1024, F 18944, 1 layer", made(1024, 18_944, 1), 8, 512),
    "3584": Case("width 3584, F 18944, 1 layer", made(3584, 18_944, 1), 4, 256),
}


def tapped(causal: LlamaForCausalLM, device: torch.device, dtype: torch.dtype) -> LanguageModel:
    causal.requires_grad_(False).eval().to(device, dtype)
    return LanguageModel(causal, None, find_taps(causal, "llama"), device, dtype, 2048)


class Work:
    """The passes of the stages over the same windows, and the bare passes."""

    def __init__(
        self,
        model: LanguageModel,
        windows: int,
        batch_tokens: int,
        gains: tuple[float, ...] = (1.0,),
        seq_len: int = SEQ_LEN,
    ) -> None:
        self.model, self.gains, self.known = model, gains, {}
        self.tokens = np.random.default_rng(0).integers(1, 1280, size=(windows, seq_len))
        self.passes = ForwardPasses(model, batch_tokens=batch_tokens)
        self.bare()

    def prepare(self) -> None:
        self.calibration = calibrate(self.passes, self.tokens)
        base = base_rates(self.passes, self.tokens, self.calibration, KINDS, TAU0)
        self.targets = RateTargets(TAU0, self.model.n_units, base, RATES)
        self.matching()

    @torch.inference_mode()
    def bare(self) -> None:
        for _, ids in self.passes.batches(self.tokens):
            float(self.model.body(input_ids=ids, use_cache=False).last_hidden_state[0, 0, 0])

    def moments(self) -> None:
        calibrate(self.passes, self.tokens)

    def base_rates(self) -> None:
        base_rates(self.passes, self.tokens, self.calibration, KINDS, TAU0)

    def matching(self) -> None:
        for gain in self.gains:
            found, _ = match_rates(
                self.passes, self.tokens, self.calibration, self.targets, Setting(gain=gain), first_bounds=self.known
            )
        self.tau = found.tau

    def extraction(self) -> None:
        for gain in self.gains:
            extract(self.passes, self.tokens, self.calibration, self.tau, KINDS, Setting(gain=gain))


def compare(case: Case, dtype: torch.dtype, device: torch.device, repeats: int) -> None:
    work = Work(tapped(case.model(), device, dtype), case.windows, case.batch_tokens, case.gains)
    work.prepare()
    lowest_peak()
    work.bare()
    bare_peak = own_peak()
    lowest_peak()
    work.moments()
    peaks = {"moments": own_peak() - bare_peak}
    before = work.passes.windows_run
    steps = {"moments": 1, "base_rates": 1, "matching": len(case.gains), "extraction": len(case.gains)}
    ratios: dict[str, list[float]] = {step: [] for step in steps}
    bare = []
    for _ in range(repeats):
        bare.append(timed(work.bare))
        for step, n in steps.items():
            spent = timed(getattr(work, step)) / n
            bare.append(timed(work.bare))
            ratios[step].append(spent / statistics.mean(bare[-2:]))
    counted, least = (work.passes.windows_run - before) // repeats, case.windows * sum(steps.values())
    lowest_peak()
    work.matching()
    peaks["matching"] = own_peak() - bare_peak
    shown = ", ".join(
        f"{step.replace('_', ' ')} {statistics.median(found):.3f} ({min(found):.3f}-{max(found):.3f})"
        for step, found in ratios.items()
    )
    print(
        f"{case.name}, {str(dtype).removeprefix('torch.')}, {case.windows} windows, batches of {case.batch_tokens} tokens:\n"
        f"  bare {statistics.median(bare):.2f} s a pass; {shown}\n"
        f"  forward windows {counted} of at least {least}; peak above bare: "
        + ", ".join(f"{step} {peak:+.0f} MiB" for step, peak in peaks.items()),
        flush=True,
    )


def timed(step: Callable[[], None]) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    started = clock()
    step()
    return clock() - started


def peak_memory(windows: int) -> float:
    """Return the peak resident memory in MiB of a process that matches rates over ``windows`` windows."""
    out = subprocess.run(
        [sys.executable, __file__, "--memory", str(windows)], capture_output=True, text=True, check=True
    )
    return float(out.stdout)


def memory_of(windows: int) -> None:
    work = Work(tapped(embedded(), torch.device("cpu"), torch.float32), windows, 2048)
    work.prepare()
    print(own_peak())


def own_peak() -> float:
    """Return this process's peak resident memory in MiB; getrusage would count what the forking parent had."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def lowest_peak() -> None:
    """Begin the peak anew with what is resident now (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=[*CASES, "memory"], action="append")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], action="append")
    parser.add_argument("--memory", type=int)
    arguments = parser.parse_args()
    if arguments.memory:
        return memory_of(arguments.memory)
    device, only = torch.device(arguments.device), arguments.only or [*CASES, "memory"]
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads; ratios to a bare pass, median (range)"
    )
    for name in only:
        for dtype in arguments.dtype or ("float32", "bfloat16"):
            if name != "memory":
                compare(CASES[name], getattr(torch, dtype), device, arguments.repeats)
    if "memory" in only:
        flat()
    return None


def flat() -> None:
    least = None
    for windows in (32, 128, 512):
        peak = peak_memory(windows)
        least = least or peak
        raster = windows * SEQ_LEN * 8 * len(RATES) * len(SpikeDef) * 2 / 2**20
        print(
            f"embedded, peak memory, {windows:>3} windows: {peak:7.1f} MiB ({peak - least:+.1f}), of which raster {raster:.1f}"
        )


if __name__ == "__main__":
    main()
