"""Knock-outs on toy networks with a known answer, and their cost: ``python benchmarks/knock_outs.py``.

Every repeat is another network with other inputs, run by the code that runs any model. ``inside``: the share of repeats whose
95 % interval holds the network's answer; ``p <= .05``: of repeats that call sigma_depth positive, a false alarm where
the answer is 0.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import platform
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from critnb.canon import SpikeDef
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.knock_outs import KnockOutSummary, Ratio, summarise_knock_outs
from critnb.events.calibration import Calibration
from critnb.events.knock_out import knock_out
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.toy import THRESHOLD, Toy

REPEATS = 400
BOOTSTRAP = 500
WINDOWS = (16, 48)
TOYS = {
    "gain .3": Toy(0.3, churn=True),
    "gain .6": Toy(0.6, churn=True),
    "gain .95": Toy(0.95, churn=True),
    "shared input .8": Toy(0.0, shared=0.8, churn=True),
    "nothing shared": Toy(0.0, churn=True),
}


def summary_of(toy: Toy, seed: int) -> KnockOutSummary:
    model, tokens = toy.network(seed)
    shape = toy.layers, toy.units
    calibration = Calibration(np.zeros(shape, np.float32), np.ones(shape, np.float32), tokens.size)
    sums = knock_out(
        ForwardPasses(model, batch_tokens=tokens.size),
        tokens,
        calibration,
        np.full((1, 1, toy.layers), THRESHOLD),
        (SpikeDef.SPIKE_ONE_SIDED_POS,),
        Setting(),
        seed=seed,
        seq_id=np.arange(len(tokens)),
        condition_keys=[[b"benchmark"]],
    )
    return summarise_knock_outs(sums[0, 0], multinomial_weights(len(tokens), BOOTSTRAP, seed), seed=seed)


def inside(found: Sequence[Ratio], answer: float) -> float:
    return float(np.mean([each.low <= answer <= each.high for each in found]))


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"{platform.processor() or platform.machine()}, one thread; torch {torch.__version__}, numpy {np.__version__}"
    )
    first = next(iter(TOYS.values()))
    print(f"{REPEATS} networks of {first.layers} layers x {first.units} units, N windows of {first.tokens} tokens")
    print()
    head = f"{'network':16s} {'N':>3s} {'sigma_depth':>11s} {'mean':>7s} {'inside':>7s} {'p <= .05':>8s}"
    print(f"{head} {'offspring':>10s} {'mean':>7s} {'inside':>7s} {'share':>7s} {'lost':>6s} {'new':>6s}")
    start = time.process_time()
    cases = [(name, replace(toy, windows=n)) for n in WINDOWS for name, toy in TOYS.items()]
    for name, toy in cases:
        found = [summary_of(toy, seed) for seed in range(REPEATS)]
        sigma, offspring = [each.sigma_depth for each in found], [each.offspring for each in found]
        shares = [each.causal_share.value for each in found]
        share = np.nanmean(shares) if np.isfinite(shares).any() else np.nan
        print(
            f"{name:16s} {toy.windows:3d} {toy.sigma_depth:11.4f} {np.mean([s.value for s in sigma]):7.4f} "
            f"{inside(sigma, toy.sigma_depth):7.1%} {np.mean([each.p_value <= 0.05 for each in found]):8.1%} "
            f"{toy.offspring():10.4f} {np.mean([s.value for s in offspring]):7.4f} {inside(offspring, toy.offspring()):7.1%} "
            f"{share:7.2f} {np.mean([each.lost_share.value for each in found]):6.1%} "
            f"{np.mean([each.new_share.value for each in found]):6.1%}",
            flush=True,
        )
    print(f"\n{(time.process_time() - start) / (REPEATS * len(cases)) * 1000:.0f} ms of one core a network")


if __name__ == "__main__":
    main()
