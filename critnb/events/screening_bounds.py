"""The bounds that batches of u are screened with while the largest values of a layer are gathered.

A bound only prunes. A guessed one is used only where at least as many values pass it as are wanted: then the largest
are among them. So no guess reaches a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration
from critnb.events.largest_values import LargestValues
from critnb.events.screening import Bounds, EventCandidates, screen

LargestByDef = Mapping[SpikeDef, LargestValues]
FirstBounds = dict[tuple[int, SpikeDef], float]

# A sample is one of so many values, and at most so large: looking at one takes as long as screening some 200.
_SAMPLED, _SAMPLE = 64, 1 << 16
# So many values are looked at in full where nothing is known of them.
_FIRST_VALUES = 1 << 15
# A neighbouring setting's bound is lowered by this share, so that about as many values pass it here.
_SLACK = 0.05
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def add_first_batch(
    largest: LargestByDef, rows: Tensor, layer: int, calibration: Calibration, known: FirstBounds
) -> None:
    """Add the first batch of a layer, u [sites, F]: with the bounds of a neighbouring setting, else those of a sample.

    Where too few values pass either, the batch is added in blocks. ``known`` is left with the bounds found here.
    """
    neighbour = {spike_def: known[layer, spike_def] for spike_def in largest if (layer, spike_def) in known}
    if not (
        (len(neighbour) == len(largest) and _added(largest, rows, layer, calibration, neighbour))
        or _added(largest, rows, layer, calibration, _sampled_bounds(largest, rows, layer, calibration))
    ):
        add_blocks(largest, rows, layer, calibration, first_site=0)
    for spike_def, kept in largest.items():
        if np.isfinite(kept.bound):
            known[layer, spike_def] = kept.bound - _SLACK * abs(kept.bound)


def add_blocks(largest: LargestByDef, rows: Tensor, layer: int, calibration: Calibration, *, first_site: int) -> None:
    """Add u [sites, F] in blocks, each screened with the bounds that the ones before it left.

    A block is as long as all that came before it in the stream, ``first_site`` sites and the blocks of this batch. So about
    as many values pass each as are wanted; from the second batch on the first block is the whole batch.
    """
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


def _added(largest: LargestByDef, rows: Tensor, layer: int, calibration: Calibration, bounds: Bounds | None) -> bool:
    """Add what passes the bounds, if these are as many as are wanted of each; return whether they were."""
    if bounds is None:
        return False
    found = screen(rows, layer, calibration, bounds)
    if any(np.count_nonzero(found.score(d) >= bounds[d]) < kept.capacity for d, kept in largest.items()):
        return False
    _add(largest, found, bounds, 0)
    return True


def _add(largest: LargestByDef, found: EventCandidates, bounds: Bounds, first_site: int) -> None:
    for spike_def, kept in largest.items():
        score = found.score(spike_def)
        keep = score >= bounds[spike_def]
        kept.add(score[keep], found.site[keep] + first_site)


def _sampled_bounds(largest: LargestByDef, rows: Tensor, layer: int, calibration: Calibration) -> Bounds | None:
    """Return bounds that probably let enough values of u [sites, F] pass; None where nearly all of them are wanted."""
    n_values = rows.numel()
    places = sampled_places(n_values)
    values = rows.reshape(-1)[torch.from_numpy(places).to(rows.device)].float().cpu().numpy().astype(np.float64)
    site, unit = np.divmod(places, rows.shape[1])
    sample = EventCandidates(site, unit, calibration.z(layer, unit, values))
    bounds = {}
    for spike_def, kept in largest.items():
        expected = kept.capacity / n_values * len(places)
        # four standard deviations of a count, so that the guess hardly ever fails
        rank = int(expected + 4 * np.sqrt(expected) + 4)
        if rank >= len(places):
            return None
        score = sample.score(spike_def)
        bounds[spike_def] = float(np.partition(score, len(score) - rank)[len(score) - rank])
    return bounds


def sampled_places(n_values: int) -> NDArray[np.int64]:
    """Return places among ``n_values`` < 2^32 values, as evenly spread over sites and units as over tokens of a window.

    The multiples of the golden ratio, modulo one, lie evenly in every part of 0..1, whatever its period.
    """
    size = min(_SAMPLE, n_values, max(_FIRST_VALUES // 4, n_values // _SAMPLED))
    share = (np.arange(1, size + 1, dtype=np.uint64) * _GOLDEN) >> np.uint64(32)
    return ((share * np.uint64(n_values)) >> np.uint64(32)).astype(np.int64)
