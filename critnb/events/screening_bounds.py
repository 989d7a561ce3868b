"""The bounds that batches of u are screened with while the largest values of a layer are gathered.

A bound only prunes. A guessed one is used only where at least as many values pass it as are wanted: then the largest
are among them. So no guess reaches a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events import on_device
from critnb.events.calibration import Calibration
from critnb.events.largest_values import LargestValues
from critnb.events.on_device import Chosen, Rooms, choose, chooses
from critnb.events.screening import Bounds, EventCandidates, candidates, screen, screening
from critnb.events.unit_bounds import Bound

LargestByDef = Mapping[SpikeDef, LargestValues]
FirstBounds = dict[tuple[int, SpikeDef], float]
# ends what was begun
Finish = Callable[[], object]

# A sample is one of so many values, and at most so large: looking at one takes as long as screening some 200.
_SAMPLED, _SAMPLE = 64, 1 << 16
# So many values are looked at in full where nothing is known of them.
_FIRST_VALUES = 1 << 15
# A neighbouring setting's bound is lowered by this share, so that about as many values pass it here.
_SLACK = 0.05
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def first_batch(
    largest: LargestByDef, u: Tensor, layer: int, calibration: Calibration, known: FirstBounds, rooms: Rooms
) -> Finish:
    """Begin to add the first batch of a layer, u [B, T, F]: with the bounds of a neighbouring setting, else those of a sample.

    Where too few values pass either, the batch is added in blocks. ``known`` is left with the bounds found here.
    """
    u = u if chooses(u) else u.cpu()
    attempts = _attempts(largest, u, layer, calibration, known)
    first = next(attempts, None)

    def finish() -> None:
        attempt = first
        while attempt is not None and not _added(largest, *(tried := attempt())):
            attempt = next(attempts, None)
        if attempt is None:
            add_blocks(largest, u, layer, calibration, first_site=0)
        else:
            rooms.note(layer, len(tried[0].z), u.numel())
        for spike_def, kept in largest.items():
            if np.isfinite(kept.bound):
                known[layer, spike_def] = kept.bound - _SLACK * abs(kept.bound)

    return finish


def later_batch(
    largest: LargestByDef, u: Tensor, layer: int, calibration: Calibration, *, first_site: int, rooms: Rooms
) -> Finish:
    """Begin to add another batch of a layer, u [B, T, F], with the bounds that the ones before it left."""
    bounds = {spike_def: kept.bound for spike_def, kept in largest.items()}
    if not chooses(u) or not np.isfinite(list(bounds.values())).all():
        return lambda: add_blocks(largest, u, layer, calibration, first_site=first_site)
    found = screening(u, layer, calibration, bounds, rooms)
    return lambda: _add(largest, found(), bounds, first_site)


def add_blocks(largest: LargestByDef, u: Tensor, layer: int, calibration: Calibration, *, first_site: int) -> None:
    """Add u [B, T, F] in blocks of sites, read by the host, each screened with the bounds that the ones before it left.

    A block is as long as all that came before it in the stream, ``first_site`` sites and the blocks of this batch. So about
    as many values pass each as are wanted; from the second batch on the first block is the whole batch.
    """
    rows = u.flatten(0, 1).cpu()
    for block in _blocks(len(rows), before=first_site, least=max(1, _FIRST_VALUES // rows.shape[1])):
        bounds = {spike_def: kept.bound for spike_def, kept in largest.items()}
        found = screen(rows[block], layer, calibration, bounds)
        _add(largest, found, bounds, first_site + block.start)


def _blocks(rows: int, *, before: int, least: int) -> Iterator[slice]:
    start = 0
    while start < rows:
        stop = min(rows, start + max(least, before + start))
        yield slice(start, stop)
        start = stop


Attempt = Callable[[], tuple[EventCandidates, Bounds]]


def _attempts(
    largest: LargestByDef, u: Tensor, layer: int, calibration: Calibration, known: FirstBounds
) -> Iterator[Attempt]:
    """Begin one attempt after the other: what a neighbour's bounds let pass, and what those of a sample do."""
    places = sampled_places(u.numel())
    ranks = _ranks(largest, u.numel(), len(places))
    share = 1.0 if ranks is None else sum(ranks.values()) / len(places)
    rooms = Rooms(share)
    neighbour = {spike_def: known[layer, spike_def] for spike_def in largest if (layer, spike_def) in known}
    if len(neighbour) == len(largest):
        yield _attempt(u, layer, calibration, neighbour, rooms)
    if ranks is not None:
        sampled = on_device.sampled_bounds if chooses(u) else _sampled_bounds
        yield _attempt(u, layer, calibration, sampled(u, layer, calibration, places, ranks), rooms)


def _attempt(
    u: Tensor, layer: int, calibration: Calibration, bounds: Mapping[SpikeDef, Bound], rooms: Rooms
) -> Attempt:
    if not chooses(u):
        known = {spike_def: float(bound) for spike_def, bound in bounds.items()}
        found = screen(u, layer, calibration, known)
        return lambda: (found, known)
    choosing = choose(u, layer, calibration, bounds, rooms.of(layer, u.numel()))

    def finish() -> tuple[EventCandidates, Bounds]:
        # where there was no room for all that passed, none count
        chosen = choosing.wait() or Chosen.nothing(len(bounds))
        known = chosen.bounds or [float(bound) for bound in bounds.values()]
        return candidates(u, layer, calibration, chosen), dict(zip(bounds, known, strict=True))

    return finish


def _added(largest: LargestByDef, found: EventCandidates, bounds: Bounds) -> bool:
    """Add what passes the bounds, if these are as many as are wanted of each; return whether they were."""
    if any(np.count_nonzero(found.score(d) >= bounds[d]) < kept.capacity for d, kept in largest.items()):
        return False
    _add(largest, found, bounds, 0)
    return True


def _add(largest: LargestByDef, found: EventCandidates, bounds: Bounds, first_site: int) -> None:
    for spike_def, kept in largest.items():
        score = found.score(spike_def)
        keep = score >= bounds[spike_def]
        kept.add(score[keep], found.site[keep] + first_site)


def _ranks(largest: LargestByDef, n_values: int, n_sampled: int) -> dict[SpikeDef, int] | None:
    """Return ranks in a sample that probably let enough of all values pass; None where nearly all of them are wanted."""
    ranks = {}
    for spike_def, kept in largest.items():
        expected = kept.capacity / n_values * n_sampled
        # four standard deviations of a count, so that the guess hardly ever fails
        ranks[spike_def] = int(expected + 4 * np.sqrt(expected) + 4)
    return None if max(ranks.values()) >= n_sampled else ranks


def _sampled_bounds(
    u: Tensor, layer: int, calibration: Calibration, places: NDArray[np.int64], ranks: Mapping[SpikeDef, int]
) -> Bounds:
    """Return for each definition the v of a given rank among those of u at some flat places."""
    values = u.take(torch.from_numpy(places).to(u.device)).cpu().double().numpy()
    site, unit = np.divmod(places, u.shape[-1])
    sample = EventCandidates(site, unit, calibration.z(layer, unit, values))
    scores = {spike_def: sample.score(spike_def) for spike_def in ranks}
    return {kind: float(np.partition(scores[kind], -rank)[-rank]) for kind, rank in ranks.items()}


@lru_cache(maxsize=4)
def sampled_places(n_values: int) -> NDArray[np.int64]:
    """Return places among ``n_values`` < 2^32 values, as evenly spread over sites and units as over tokens of a window.

    The multiples of the golden ratio, modulo one, lie evenly in every part of 0..1, whatever its period.
    """
    size = min(_SAMPLE, n_values, max(_FIRST_VALUES // 4, n_values // _SAMPLED))
    share = (np.arange(1, size + 1, dtype=np.uint64) * _GOLDEN) >> np.uint64(32)
    return ((share * np.uint64(n_values)) >> np.uint64(32)).astype(np.int64)
