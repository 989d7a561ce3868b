"""What extraction costs on top of the bare forward passes: time, forward windows and memory, all in one run.

    python benchmarks/extraction.py [--device cuda] [--repeats 3] > benchmarks/extraction.txt

Bare passes run the same windows, gains and batches without logits and without hooks. Times are the best of the repeats,
measured in turn, so that a slow moment of the machine hits both sides.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from critnb.canon import ModelRole, SpikeDef
from critnb.data.embedded import weights_directory
from critnb.events import RateTargets, base_rates, calibrate, match_rates
from critnb.model.discovery import find_taps
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.language_model import LanguageModel

GAINS = (0.7, 1.0, 1.3)
RATES = (2e-4, 5e-4, 1e-3)
SEQ_LEN = 128
TAU0 = 2.5


def embedded() -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(weights_directory(ModelRole.BASE), dtype=torch.float32)


def wide(width: int) -> Callable[[], LlamaForCausalLM]:
    def make() -> LlamaForCausalLM:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=1280, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=6,
            num_attention_heads=width // 64, num_key_value_heads=width // 64, tie_word_embeddings=True,
        )  # fmt: skip
        return LlamaForCausalLM(config)

    return make


def tapped(causal: LlamaForCausalLM, device: torch.device) -> LanguageModel:
    causal.requires_grad_(False).eval().to(device)
    return LanguageModel(causal, None, find_taps(causal, "llama"), device, torch.float32, 2048)


@torch.inference_mode()
def bare(model: LanguageModel, tokens: np.ndarray, batch_tokens: int) -> float:
    size = batch_tokens // tokens.shape[1]
    started = time.perf_counter()
    for _ in GAINS:
        for first in range(0, len(tokens), size):
            ids = torch.from_numpy(tokens[first : first + size]).to(model.device)
            float(model.body(input_ids=ids, use_cache=False).last_hidden_state[0, 0, 0])
    return time.perf_counter() - started


def extracting(passes: ForwardPasses, tokens: np.ndarray, calibration: object, targets: RateTargets) -> float:
    started = time.perf_counter()
    for gain in GAINS:
        match_rates(passes, tokens, calibration, targets, Setting(gain=gain))
    return time.perf_counter() - started


def compare(
    name: str, causal: LlamaForCausalLM, windows: int, batch_tokens: int, device: torch.device, repeats: int
) -> None:
    model = tapped(causal, device)
    tokens = np.random.default_rng(0).integers(1, 1280, size=(windows, SEQ_LEN))
    passes = ForwardPasses(model, batch_tokens=batch_tokens)
    calibration = calibrate(passes, tokens)
    targets = RateTargets(TAU0, model.n_units, base_rates(passes, tokens, calibration, tuple(SpikeDef), TAU0), RATES)
    before = passes.windows_run
    bare(model, tokens[:8], batch_tokens)
    pairs = [
        (bare(model, tokens, batch_tokens), extracting(passes, tokens, calibration, targets)) for _ in range(repeats)
    ]
    plain, full = (min(column) for column in zip(*pairs, strict=True))
    counted, least = (passes.windows_run - before) // repeats, windows * len(GAINS)
    print(
        f"{name:<28} {windows:>4} windows x {len(GAINS)} gains, batch {batch_tokens:>5}: bare {plain:6.2f} s, "
        f"with extraction {full:6.2f} s, ratio {full / plain:.3f}; forward windows {counted} of at least {least}"
    )


def peak_memory(windows: int) -> float:
    """Return the peak resident memory in MiB of a process that matches rates over ``windows`` windows."""
    out = subprocess.run(
        [sys.executable, __file__, "--memory", str(windows)], capture_output=True, text=True, check=True
    )
    return float(out.stdout)


def memory_of(windows: int) -> None:
    model = tapped(embedded(), torch.device("cpu"))
    tokens = np.random.default_rng(0).integers(1, 1280, size=(windows, SEQ_LEN))
    passes = ForwardPasses(model, batch_tokens=2048)
    calibration = calibrate(passes, tokens)
    targets = RateTargets(TAU0, model.n_units, base_rates(passes, tokens, calibration, tuple(SpikeDef), TAU0), RATES)
    match_rates(passes, tokens, calibration, targets, Setting())
    print(own_peak())


def own_peak() -> float:
    """Return this process's peak resident memory in MiB; getrusage would count what the forking parent had."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int)
    arguments = parser.parse_args()
    if arguments.memory:
        return memory_of(arguments.memory)
    device = torch.device(arguments.device)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    for batch_tokens in (2048, 4096):
        compare("embedded BASE (width 128)", embedded(), 64, batch_tokens, device, arguments.repeats)
    for width in (512, 1024):
        compare(f"width {width}, F {3 * width}, 6 layers", wide(width)(), 32, 4096, device, arguments.repeats)
    least = None
    for windows in (32, 64, 128, 256, 512):
        peak = peak_memory(windows)
        least = least or peak
        raster = windows * SEQ_LEN * 8 * len(RATES) * len(SpikeDef) * 2 / 2**20
        print(
            f"peak memory, {windows:>3} windows: {peak:7.1f} MiB ({peak - least:+.1f}), of which raster {raster:.1f} MiB"
        )
    return None


if __name__ == "__main__":
    main()
