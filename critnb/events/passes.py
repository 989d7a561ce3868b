"""The passes over a slice: moments, base rates, rate matching and extraction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration, Moments
from critnb.events.matching import Counts, Matching, per_site
from critnb.events.screen import Bounds, Candidates, screen
from critnb.events.targets import RateTargets
from critnb.events.thresholds import Thresholds
from critnb.events.top import Top
from critnb.language.forward import ForwardPasses, OnLogits, Setting

OnBatch = Callable[[int], object]


def calibrate(passes: ForwardPasses, tokens: NDArray[np.int64], on_batch: OnBatch = bool) -> Calibration:
    """Return mu and sigma of u on ``tokens`` [N, T] at gain 1: one forward pass a window."""
    moments = Moments(passes.model.n_layers, passes.model.n_units)
    passes.run(tokens, Setting(), lambda _first, layer, u: moments.add(layer, u), on_batch)
    return moments.finish()


def base_rates(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    spike_defs: Sequence[SpikeDef],
    tau0: float,
    on_batch: OnBatch = bool,
) -> Mapping[SpikeDef, NDArray[np.float64]]:
    """Return the fraction [L] of values with v > tau0 at gain 1 for each spike definition."""
    events = np.zeros((len(spike_defs), passes.model.n_layers), dtype=np.int64)
    bounds = dict.fromkeys(spike_defs, tau0)

    def count(_first: int, layer: int, u: Tensor) -> None:
        found = screen(u, layer, calibration, bounds)
        events[:, layer] += [np.count_nonzero(found.score(spike_def) > tau0) for spike_def in spike_defs]

    passes.run(tokens, Setting(), count, on_batch)
    n_samples = _samples(passes, tokens)
    return {spike_def: events[i] / n_samples for i, spike_def in enumerate(spike_defs)}


def match_rates(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    targets: RateTargets,
    setting: Setting,
    on_batch: OnBatch = bool,
) -> tuple[Thresholds, Counts]:
    """Return the exact thresholds of every rate and spike definition, and the event counts of the same windows.

    ``tokens`` [N, T]; the counts are [D, R, N, L, T - burn_in]. One forward pass a window gives both: the largest
    candidates of each layer are kept while the windows stream by.
    """
    length = tokens.shape[1] - passes.burn_in
    matching = Matching(targets, windows=len(tokens), tokens=length)

    def collect(first: int, layer: int, u: Tensor) -> None:
        tops = matching.tops[layer]
        found, bounds = _candidates(u, layer, calibration, tops)
        for spike_def, top in tops.items():
            score = found.score(spike_def)
            keep = score >= bounds[spike_def]
            top.add(score[keep], found.site[keep] + first * length)

    passes.run(tokens, setting, collect, on_batch)
    return matching.finish(setting.intervention, setting.gain)


def extract(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    tau: NDArray[np.float64],
    spike_defs: Sequence[SpikeDef],
    setting: Setting,
    on_batch: OnBatch = bool,
    on_logits: OnLogits | None = None,
) -> Counts:
    """Return the event counts [D, R, N, L, T - burn_in] of ``tokens`` [N, T] under known thresholds tau [D, R, L].

    ``on_logits`` reads the logits of the same passes, as ``ForwardPasses.run`` says.
    """
    length = tokens.shape[1] - passes.burn_in
    counts = np.zeros((*tau.shape[:2], len(tokens), passes.model.n_layers, length), dtype=np.uint16)

    def collect(first: int, layer: int, u: Tensor) -> None:
        bounds = {spike_def: float(tau[i, :, layer].min()) for i, spike_def in enumerate(spike_defs)}
        found = screen(u, layer, calibration, bounds)
        for i, spike_def in enumerate(spike_defs):
            score = found.score(spike_def)
            for r, threshold in enumerate(tau[i, :, layer]):
                sites = found.site[score > threshold]
                counts[i, r, first : first + len(u), layer] = per_site(sites, len(u), length)

    passes.run(tokens, setting, collect, on_batch, on_logits)
    return counts


def _samples(passes: ForwardPasses, tokens: NDArray[np.int64]) -> int:
    n_windows, length = tokens.shape
    return int(n_windows * (length - passes.burn_in) * passes.model.n_units)


def _candidates(
    u: Tensor, layer: int, calibration: Calibration, tops: Mapping[SpikeDef, Top]
) -> tuple[Candidates, Bounds]:
    """Screen u with bounds that surely admit everything the tops still need.

    Once a top is full its own bound serves. Before, a bound is guessed from a sample of u and accepted only if enough
    values pass it, since then the values needed are among them.
    """
    guessed = {spike_def for spike_def, top in tops.items() if top.bound == -np.inf}
    bounds = {spike_def: top.bound for spike_def, top in tops.items()}
    for margin in (1.5, 4.0) if guessed else ():
        bounds.update({d: _guess(u, layer, calibration, d, margin * tops[d].capacity) for d in guessed})
        found = screen(u, layer, calibration, bounds)
        if all(np.count_nonzero(found.score(d) >= bounds[d]) >= tops[d].capacity for d in guessed):
            return found, bounds
        bounds.update(dict.fromkeys(guessed, -np.inf))
    return screen(u, layer, calibration, bounds), bounds


_SAMPLED_TOKENS = 256


def _guess(u: Tensor, layer: int, calibration: Calibration, spike_def: SpikeDef, wanted: float) -> float:
    tokens = u.flatten(0, 1)
    sample = tokens[:: max(1, len(tokens) // _SAMPLED_TOKENS)]
    share = wanted / u.numel()
    values = sample.double().cpu().numpy().ravel()
    rank = int(np.ceil(share * len(values)))
    if rank >= len(values):
        return -np.inf
    unit = np.tile(np.arange(u.shape[-1]), len(sample))
    score = Candidates(unit, calibration.z(layer, unit, values)).score(spike_def)
    return float(np.partition(score, len(score) - rank)[len(score) - rank])
