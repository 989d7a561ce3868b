"""Exact thresholds at a target rate: the largest values of each layer are kept while they stream by. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from critnb.canon import Intervention
from critnb.errors import DataError
from critnb.events.largest_values import LargestValues
from critnb.events.targets import RateTargets
from critnb.lattice.thresholds import Thresholds

Counts = NDArray[np.uint16]


class Matching:
    """Under one setting, the largest values of every layer and spike definition, as many as the highest rate needs.

    Add the scores v of a layer and their sites, n * T + t, to ``largest[layer][spike_def]``; then ``finish``.
    """

    def __init__(self, targets: RateTargets, *, windows: int, tokens: int) -> None:
        self._targets = targets
        self._windows, self._tokens = windows, tokens
        self._spike_defs = tuple(targets.base)
        self._n_samples = windows * tokens * targets.n_units
        self._wanted = np.array(
            [[targets.events(d, rate, self._n_samples) for rate in targets.rates] for d in self._spike_defs]
        )
        capacity = self._wanted.max(axis=1) + 1
        self.largest = [
            {spike_def: LargestValues(int(capacity[i, layer])) for i, spike_def in enumerate(self._spike_defs)}
            for layer in range(capacity.shape[1])
        ]

    def finish(self, intervention: Intervention, gain: float) -> tuple[Thresholds, Counts]:
        """Return the exact thresholds and the event counts [D, R, N, L, T] of the windows that streamed by."""
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
        targets = self._targets
        target = np.array([[targets.target(d, rate) for rate in targets.rates] for d in self._spike_defs])
        thresholds = Thresholds(
            intervention, gain, self._spike_defs, targets.rates, self._n_samples, tau, target, wanted, events, ties
        )
        return thresholds, counts


def per_site(sites: NDArray[np.int64], windows: int, length: int) -> Counts:
    """Return how often each site n * T + t occurs, as uint16 [N, T]; raises DataError where one has too many for it."""
    counts = np.bincount(sites, minlength=windows * length)
    if (most := counts.max(initial=0)) > np.iinfo(np.uint16).max:
        raise DataError(f"a site has {most} events, more than a raster can hold (65535); ask for a lower rate")
    return counts.reshape(windows, length).astype(np.uint16)
