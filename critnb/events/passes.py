"""The passes over a slice: moments, base rates, rate matching and extraction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration, Moments
from critnb.events.on_device import Rooms, chooses
from critnb.events.rate_matching import Counts, Matching, per_site
from critnb.events.screening import screening
from critnb.events.screening_bounds import Finish, FirstBounds, first_batch, later_batch
from critnb.events.targets import RateTargets
from critnb.events.window_moments import window_moments
from critnb.lattice.thresholds import Thresholds
from critnb.model.forward import ForwardPasses, OnBatch, OnLogits, Setting, unreported


def calibrate(passes: ForwardPasses, tokens: NDArray[np.int64], on_batch: OnBatch = unreported) -> Calibration:
    """Return mu and sigma of u on ``tokens`` [N, T] at gain 1, from one forward pass per window."""
    moments = Moments(passes.model.n_layers, passes.model.n_units)

    def begin(_first: int, layer: int, u: Tensor) -> Finish:
        of_windows, length = window_moments(u), u.shape[1]

        def finish() -> None:
            for mean, squares in of_windows():
                moments.merge(layer, length, mean=mean, squares=squares)

        return finish

    each_layer(passes, tokens, Setting(), begin, on_batch)
    return moments.finish()


def base_rates(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    spike_defs: Sequence[SpikeDef],
    tau0: float,
    on_batch: OnBatch = unreported,
) -> Mapping[SpikeDef, NDArray[np.float64]]:
    """Return the fraction [L] of values with v > tau0 at gain 1 for each spike definition."""
    events = base_events(passes, tokens, calibration, spike_defs, tau0, on_batch)
    n_samples = _samples(passes, tokens)
    return {spike_def: events[i] / n_samples for i, spike_def in enumerate(spike_defs)}


def base_events(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    spike_defs: Sequence[SpikeDef],
    tau0: float,
    on_batch: OnBatch = unreported,
) -> NDArray[np.int64]:
    """Return how many values have v > tau0 at gain 1, for each spike definition and layer, [D, L]."""
    events = np.zeros((len(spike_defs), passes.model.n_layers), dtype=np.int64)
    bounds, rooms = dict.fromkeys(spike_defs, tau0), Rooms()

    def begin(_first: int, layer: int, u: Tensor) -> Finish:
        screened = screening(u, layer, calibration, bounds, rooms)

        def finish() -> None:
            found = screened()
            events[:, layer] += [np.count_nonzero(found.score(spike_def) > tau0) for spike_def in spike_defs]

        return finish

    each_layer(passes, tokens, Setting(), begin, on_batch)
    return events


def match_rates(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    targets: RateTargets,
    setting: Setting,
    on_batch: OnBatch = unreported,
    first_bounds: FirstBounds | None = None,
) -> tuple[Thresholds, Counts]:
    """Return the exact thresholds of every rate and spike definition, and the event counts of the same windows.

    ``tokens`` [N, T]; the counts are [D, R, N, L, T - burn_in]. One forward pass per window gives both: the largest
    values of each layer are kept while the windows stream by. ``first_bounds`` holds what the first batch of a
    neighbouring setting gave, and is left with what this one gives: it saves time and changes no result.
    """
    wanted = targets.wanted(windows=len(tokens), tokens=tokens.shape[1] - passes.burn_in)
    spike_defs = tuple(targets.base)
    found = gather(passes, tokens, calibration, spike_defs, wanted, setting, on_batch, first_bounds).finish()
    return found.thresholds(targets, setting.intervention, setting.gain), found.counts


def gather(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    spike_defs: Sequence[SpikeDef],
    wanted: NDArray[np.int64],
    setting: Setting,
    on_batch: OnBatch = unreported,
    first_bounds: FirstBounds | None = None,
) -> Matching:
    """Return the largest values of ``tokens`` [N, T] in every layer, as many as ``wanted`` [D, R, L] events ask for.

    ``finish()`` of it gives the exact thresholds that let that many pass, and these events: as ``match_rates``, for counts
    that follow from no rate.
    """
    known = {} if first_bounds is None else first_bounds
    length = tokens.shape[1] - passes.burn_in
    matching, rooms = Matching(spike_defs, wanted, windows=len(tokens), tokens=length), Rooms()

    def begin(first: int, layer: int, u: Tensor) -> Finish:
        largest = matching.largest[layer]
        if first == 0:
            return first_batch(largest, u, layer, calibration, known, rooms)
        return later_batch(largest, u, layer, calibration, first_site=first * length, rooms=rooms)

    each_layer(passes, tokens, setting, begin, on_batch)
    return matching


def extract(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    tau: NDArray[np.float64],
    spike_defs: Sequence[SpikeDef],
    setting: Setting,
    on_batch: OnBatch = unreported,
    on_logits: OnLogits | None = None,
) -> Counts:
    """Return the event counts [D, R, N, L, T - burn_in] of ``tokens`` [N, T] under known thresholds tau [D, R, L].

    ``on_logits`` reads the logits of the same passes, as ``ForwardPasses.run`` says.
    """
    length = tokens.shape[1] - passes.burn_in
    counts = np.zeros((*tau.shape[:2], len(tokens), passes.model.n_layers, length), dtype=np.uint16)
    rooms = Rooms()

    def begin(first: int, layer: int, u: Tensor) -> Finish:
        bounds = {spike_def: float(tau[i, :, layer].min()) for i, spike_def in enumerate(spike_defs)}
        screened = screening(u, layer, calibration, bounds, rooms)

        def finish() -> None:
            found = screened()
            for i, spike_def in enumerate(spike_defs):
                score = found.score(spike_def)
                for r, threshold in enumerate(tau[i, :, layer]):
                    sites = found.site[score > threshold]
                    counts[i, r, first : first + len(u), layer] = per_site(sites, len(u), length)

        return finish

    each_layer(passes, tokens, setting, begin, on_batch, on_logits)
    return counts


def each_layer(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    setting: Setting,
    begin: Callable[[int, int, Tensor], Finish],
    on_batch: OnBatch = unreported,
    on_logits: OnLogits | None = None,
) -> None:
    """Run ``tokens`` and call what ``begin(first, layer, u)`` returns: at once where the host reads u.

    Where a device does, that is after it has begun with the next layer, so that the host decides while the device computes.
    """
    begun: list[Finish] = []

    def end() -> None:
        while begun:
            begun.pop()()

    def read(first: int, layer: int, u: Tensor) -> None:
        finish = begin(first, layer, u)
        end()
        begun.append(finish)
        if not chooses(u):
            end()

    def done(n_windows: int) -> None:
        end()
        on_batch(n_windows)

    passes.run(tokens, setting, read, done, *([] if on_logits is None else [on_logits]))
    end()


def _samples(passes: ForwardPasses, tokens: NDArray[np.int64]) -> int:
    n_windows, length = tokens.shape
    return int(n_windows * (length - passes.burn_in) * passes.model.n_units)
