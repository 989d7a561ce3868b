"""Exact thresholds for given numbers of events: the largest values of each layer are kept while they stream by. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from critnb.canon import Intervention, SpikeDef
from critnb.errors import DataError
from critnb.events.largest_values import LargestValues
from critnb.events.targets import RateTargets
from critnb.lattice.thresholds import Thresholds

Counts = NDArray[np.uint16]


@dataclass(frozen=True)
class Matched:
    """Thresholds tau that let ``wanted`` events pass, with the ``events`` that do and the ``ties`` at the cut, each [D, R, L].

    counts: the events themselves, [D, R, N, L, T]. Where ties straddle a cut, events are fewer than wanted.
    """

    spike_defs: tuple[SpikeDef, ...]
    wanted: NDArray[np.int64]
    tau: NDArray[np.float64]
    events: NDArray[np.int64]
    ties: NDArray[np.int64]
    counts: Counts

    def thresholds(self, targets: RateTargets, intervention: Intervention, gain: float) -> Thresholds:
        """Return them as the thresholds of the rates that ``wanted`` was taken from."""
        windows, _, tokens = self.counts.shape[2:]
        target = np.array([[targets.target(d, rate) for rate in targets.rates] for d in self.spike_defs])
        n_samples = windows * tokens * targets.n_units
        return Thresholds(
            intervention, gain, self.spike_defs, targets.rates, n_samples, self.tau, target, self.wanted, self.events,
            self.ties,
        )  # fmt: skip


class Matching:
    """Under one setting, the largest values of every layer and spike definition, as many as the largest count needs.

    ``wanted`` [D, R, L] are events of D spike definitions in R series and L layers: those of R rates
    (``RateTargets.wanted``), or counts of any other origin, such as those of another raster. Add the scores v of a layer and
    their sites, n * T + t, to ``largest[layer][spike_def]``; then ``finish``.
    """

    def __init__(self, spike_defs: Sequence[SpikeDef], wanted: NDArray[np.int64], *, windows: int, tokens: int) -> None:
        self._windows, self._tokens = windows, tokens
        self._spike_defs, self._wanted = tuple(spike_defs), wanted
        capacity = wanted.max(axis=1) + 1
        self.largest = [
            {spike_def: LargestValues(int(capacity[i, layer])) for i, spike_def in enumerate(self._spike_defs)}
            for layer in range(capacity.shape[1])
        ]

    @classmethod
    def joined(cls, parts: Sequence[Matching]) -> Matching:
        """Return the largest values of consecutive windows that streamed by apart, each part with the same ``wanted``."""
        first, windows = parts[0], [part._windows for part in parts]
        whole = cls(first._spike_defs, first._wanted, windows=sum(windows), tokens=first._tokens)
        for part, before in zip(parts, np.cumsum([0, *windows]), strict=False):
            for mine, theirs in zip(whole.largest, part.largest, strict=True):
                for spike_def, largest in mine.items():
                    largest.join(theirs[spike_def], first_site=int(before) * first._tokens)
        return whole

    def finish(self) -> Matched:
        """Return the exact thresholds and the event counts of the windows that streamed by."""
        wanted, tau = self._wanted, np.empty(self._wanted.shape)
        events, ties = np.empty_like(wanted), np.empty_like(wanted)
        n_layers = wanted.shape[-1]
        counts = np.zeros((*wanted.shape[:2], self._windows, n_layers, self._tokens), dtype=np.uint16)
        for i, r, layer in np.ndindex(wanted.shape):
            largest = self.largest[layer][self._spike_defs[i]]
            tau[i, r, layer] = threshold = largest.threshold(int(wanted[i, r, layer]))
            above = largest.sites_above(threshold)
            events[i, r, layer], ties[i, r, layer] = len(above), largest.ties(threshold)
            counts[i, r, :, layer] = per_site(above, self._windows, self._tokens)
        return Matched(self._spike_defs, wanted, tau, events, ties, counts)


def per_site(sites: NDArray[np.int64], windows: int, length: int) -> Counts:
    """Return how often each site n * T + t occurs, as uint16 [N, T]; raises DataError where one has too many for it."""
    counts = np.bincount(sites, minlength=windows * length)
    if (most := counts.max(initial=0)) > np.iinfo(np.uint16).max:
        raise DataError(f"a site has {most} events, more than a raster can hold (65535); ask for a lower rate")
    return counts.reshape(windows, length).astype(np.uint16)
