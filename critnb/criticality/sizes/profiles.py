"""Mean temporal profiles of avalanches, and the exponent that makes them collapse (Sethna, Dahmen and Myers 2001).

At criticality s(t, D), the mean number of events at time t of avalanches of duration D, is D^(gamma - 1) F(t / D) with
one shape F. The collapse exponent is the gamma that brings s(t, D) D^(1 - gamma) closest together, by the error of
Marshall et al. 2016: the variance between the curves over the squared span of their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import Adjacency
from critnb.criticality.sizes.avalanches import EMPTY_SITE, find_and_label

Floats = npt.NDArray[np.float64]

# Shorter profiles have no shape to compare; fewer avalanches have no mean worth drawing.
_MIN_DURATION = 4
_MIN_AVALANCHES = 20
_MIN_CURVES = 3
# From the centre of the first to that of the last token of the shortest profile: no curve is extrapolated.
_POINTS = np.linspace(0.5 / _MIN_DURATION, 1 - 0.5 / _MIN_DURATION, 31)
_GAMMAS = np.arange(0.5, 3.0005, 0.001)


@dataclass(frozen=True, eq=False)
class Profiles:
    """Mean events at each token offset, [K, D_max], NaN beyond the duration; n avalanches [K] of each duration [K].

    gamma_collapse: NaN where fewer than three durations have enough avalanches, and then ``reason`` says so.
    """

    durations: npt.NDArray[np.int64]
    n: npt.NDArray[np.int64]
    mean: Floats
    gamma_collapse: float
    reason: str = ""

    def collapsed(self, gamma: float) -> tuple[Floats, Floats]:
        """Return t / D [B] and s(t, D) D^(1 - gamma) [K, B] on it, linear between token centres."""
        return _POINTS, _on_common_axis(self.durations, self.mean) * self.durations[:, None] ** (1.0 - gamma)


def profiles(counts: npt.NDArray[np.uint16], seq_id: npt.NDArray[np.int32], adjacency: Adjacency) -> Profiles:
    """Return the mean profiles of the avalanches of counts uint16 [N, L, T] that touch no edge."""
    found, labels = find_and_label(counts, seq_id, adjacency)
    n = np.bincount(found.span_tokens[~found.touches_edge], minlength=_MIN_DURATION)
    durations = np.flatnonzero(n >= _MIN_AVALANCHES)
    durations = durations[durations >= _MIN_DURATION]
    if not len(durations):
        why = f"no duration of {_MIN_DURATION} tokens or more has {_MIN_AVALANCHES} uncensored avalanches"
        return Profiles(durations, n[durations], np.empty((0, 0)), float("nan"), why)
    sequence, layer, token = np.nonzero(labels != EMPTY_SITE)
    per_sequence = labels.max(axis=(1, 2)) + 1
    first = np.cumsum(per_sequence) - per_sequence
    avalanche = first[sequence] + labels[sequence, layer, token]
    of_site = found.span_tokens[avalanche]
    used = np.isin(of_site, durations) & ~found.touches_edge[avalanche]
    place = np.searchsorted(durations, of_site[used])
    offset = token[used] - found.t_min[avalanche[used]]
    shape = (len(durations), int(durations.max()))
    events = counts[sequence[used], layer[used], token[used]]
    sums = np.bincount(place * shape[1] + offset, weights=events, minlength=shape[0] * shape[1]).reshape(shape)
    mean = np.where(np.arange(shape[1]) < durations[:, None], sums / n[durations][:, None], np.nan)
    return Profiles(durations, n[durations], mean, *_best_collapse(durations, mean))


def _on_common_axis(durations: npt.NDArray[np.int64], mean: Floats) -> Floats:
    curves = [np.interp(_POINTS, (np.arange(d) + 0.5) / d, row[:d]) for d, row in zip(durations, mean, strict=True)]
    return np.array(curves).reshape(len(durations), len(_POINTS))


def _best_collapse(durations: npt.NDArray[np.int64], mean: Floats) -> tuple[float, str]:
    if len(durations) < _MIN_CURVES:
        return float("nan"), f"{len(durations)} durations have enough avalanches, {_MIN_CURVES} are needed to collapse"
    curves = _on_common_axis(durations, mean)
    scaled = curves * (durations[:, None] ** (1.0 - _GAMMAS[:, None, None]))  # [G, K, B]
    centre = scaled.mean(axis=1)
    span = np.ptp(centre, axis=-1)
    if not span.all():
        return float("nan"), "the profiles are flat"
    best = float(_GAMMAS[np.argmin(scaled.var(axis=1).mean(axis=-1) / span**2)])
    if best in (_GAMMAS[0], _GAMMAS[-1]):
        return float("nan"), f"no gamma in {_GAMMAS[0]:g}..{_GAMMAS[-1]:g} brings the profiles together"
    return best, ""
