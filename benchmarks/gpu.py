"""What S01, S02 and S03 cost on top of the bare forward passes of a model of 7 billion parameters, on a GPU.

    python benchmarks/gpu.py --device cuda > benchmarks/gpu.txt
    python benchmarks/gpu.py --tiny            # the same code on the processor and a model of toy size, in seconds

Weights are random: bfloat16, 28 layers, width 3584, F 18944, as Qwen2.5-7B has them but for the vocabulary. Each repeat runs
the moments (S01), the base rates (S01), two settings of matching (S02, the second with the bounds of the first) and
extraction (S03), with bare passes before and after each. Shown: median of the repeats' ratios to the bare passes, their
range, and how far the most memory that torch held on the card lies above that of the bare passes. Time is the clock's on a
card, and the processor's without.
"""

from __future__ import annotations

from measuring import machine

# isort: split
import argparse
import statistics
import time
from collections.abc import Callable

import torch
from extraction import Work, tapped
from transformers import LlamaConfig, LlamaForCausalLM

GAINS = (0.9, 1.1)
STEPS = {"moments": 1, "base_rates": 1, "matching": len(GAINS), "extraction": len(GAINS)}


def made(arguments: argparse.Namespace, device: torch.device) -> LlamaForCausalLM:
    """Return a model of random weights, made on its device: the host holds none of them."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1280, hidden_size=arguments.width, intermediate_size=arguments.units,
        num_hidden_layers=arguments.layers, num_attention_heads=max(1, arguments.width // 128),
        num_key_value_heads=max(1, arguments.width // 896), tie_word_embeddings=True, dtype=torch.bfloat16,
    )  # fmt: skip
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)


def timed(step: Callable[[], None], device: torch.device) -> float:
    if device.type == "cpu":
        started = time.process_time()
        step()
        return time.process_time() - started
    torch.accelerator.synchronize()
    started = time.perf_counter()
    step()
    torch.accelerator.synchronize()
    return time.perf_counter() - started


def most_memory(step: Callable[[], None], device: torch.device) -> float:
    """Return the most memory in MiB that torch held on a card during a step; not available elsewhere."""
    if device.type != "cuda":
        return float("nan")
    torch.cuda.reset_peak_memory_stats(device)
    step()
    return torch.cuda.max_memory_allocated(device) / 2**20


def measure(arguments: argparse.Namespace, device: torch.device) -> None:
    model = tapped(made(arguments, device), device, torch.bfloat16)
    work = Work(model, arguments.windows, arguments.batch_tokens, GAINS, arguments.seq_len)
    work.prepare()
    bare_memory = most_memory(work.bare, device)
    memory = {step: most_memory(getattr(work, step), device) - bare_memory for step in STEPS}
    bare: list[float] = []
    ratios: dict[str, list[float]] = {step: [] for step in STEPS}
    for _ in range(arguments.repeats):
        bare.append(timed(work.bare, device))
        for step, passes in STEPS.items():
            if step == "matching":
                # nothing is known of the first of the two settings
                work.known.clear()
            spent = timed(getattr(work, step), device) / passes
            bare.append(timed(work.bare, device))
            ratios[step].append(spent / statistics.mean(bare[-2:]))
    tokens = arguments.windows * arguments.seq_len
    print(f"bare {statistics.median(bare):.3f} s a pass, {tokens / statistics.median(bare):.0f} tokens a second")
    for step, found in ratios.items():
        above = f"{memory[step]:+.0f} MiB" if memory[step] == memory[step] else "not available"
        shown = f"{statistics.median(found):.3f} ({min(found):.3f}-{max(found):.3f})"
        print(
            f"{step.replace('_', ' '):<11} {shown} of a bare pass; memory of the card above bare: {above}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tiny", action="store_true", help="toy sizes, to see that it works")
    sizes = {"layers": (28, 3), "width": (3584, 128), "units": (18_944, 512), "windows": (64, 8)}
    sizes |= {"seq_len": (256, 32), "batch_tokens": (4096, 96), "repeats": (5, 2)}
    for name in sizes:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    arguments = parser.parse_args()
    for name, (full, toy) in sizes.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, toy if arguments.tiny else full)
    device = torch.device(arguments.device)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "no card"
    print(machine("torch", "transformers"))
    print(
        f"{device} ({card}); {arguments.layers} layers of {arguments.units} units, width {arguments.width}, bfloat16; "
        f"{arguments.windows} windows of {arguments.seq_len} tokens in batches of {arguments.batch_tokens} tokens; "
        f"gains {' and '.join(map(str, GAINS))}; {arguments.repeats} repeats"
    )
    measure(arguments, device)


if __name__ == "__main__":
    main()
