"""The largest values of a layer out of batches of u: which bound a batch is screened with, before and after one is known.

A bound only prunes. One that is guessed is used only where at least as many values pass it as are wanted: then the
largest are among them. So no guess reaches a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration
from critnb.events.screen import Bounds, Candidates, screen
from critnb.events.top import Top

Tops = Mapping[SpikeDef, Top]
FirstBounds = dict[tuple[int, SpikeDef], float]

_SAMPLE = 1 << 16
# So many values are looked at in full where nothing is known of them.
_FIRST_VALUES = 1 << 15
# A neighbouring setting's bound is lowered by this share, so that about as many values pass it here.
_SLACK = 0.05
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def fill(tops: Tops, rows: Tensor, layer: int, calibration: Calibration, known: FirstBounds) -> None:
    """Add the first batch of a layer, u [sites, F]: with the bounds of a neighbouring setting, else those of a sample.

    Where too few values pass either, the batch is added in blocks. ``known`` is left with the bounds found here.
    """
    neighbour = {spike_def: known.get((layer, spike_def)) for spike_def in tops}
    bounds = {spike_def: bound for spike_def, bound in neighbour.items() if bound is not None}
    if not (
        (len(bounds) == len(tops) and _added(tops, rows, layer, calibration, bounds))
        or _added(tops, rows, layer, calibration, _sampled_bounds(tops, rows, layer, calibration))
    ):
        add_blocks(tops, rows, layer, calibration, first_site=0)
    for spike_def, top in tops.items():
        if np.isfinite(top.bound):
            known[layer, spike_def] = top.bound - _SLACK * abs(top.bound)


def add_blocks(tops: Tops, rows: Tensor, layer: int, calibration: Calibration, *, first_site: int) -> None:
    """Add u [sites, F] in blocks, each screened with the bounds that the ones before it left.

    A block is as long as all that came before it in the stream, ``first_site`` sites and the blocks of this batch. So about
    as many values pass each as are wanted; from the second batch on the first block is the whole batch.
    """
    for block in _blocks(len(rows), before=first_site, least=max(1, _FIRST_VALUES // rows.shape[1])):
        bounds = {spike_def: top.bound for spike_def, top in tops.items()}
        found = screen(rows[block], layer, calibration, bounds)
        _add(tops, found, bounds, first_site + block.start)


def _blocks(rows: int, *, before: int, least: int) -> Iterator[slice]:
    start = 0
    while start < rows:
        stop = min(rows, start + max(least, before + start))
        yield slice(start, stop)
        start = stop


def _added(tops: Tops, rows: Tensor, layer: int, calibration: Calibration, bounds: Bounds | None) -> bool:
    """Add what passes the bounds, if that is enough to fill every top; return whether it was."""
    if bounds is None:
        return False
    found = screen(rows, layer, calibration, bounds)
    if any(np.count_nonzero(found.score(d) >= bounds[d]) < top.capacity for d, top in tops.items()):
        return False
    _add(tops, found, bounds, 0)
    return True


def _add(tops: Tops, found: Candidates, bounds: Bounds, first_site: int) -> None:
    for spike_def, top in tops.items():
        score = found.score(spike_def)
        keep = score >= bounds[spike_def]
        top.add(score[keep], found.site[keep] + first_site)


def _sampled_bounds(tops: Tops, rows: Tensor, layer: int, calibration: Calibration) -> Bounds | None:
    """Return bounds that probably let enough values of u [sites, F] pass; None where nearly all of them are wanted."""
    n_values = rows.numel()
    places = sampled_places(n_values)
    values = rows.reshape(-1)[torch.from_numpy(places).to(rows.device)].float().cpu().numpy().astype(np.float64)
    site, unit = np.divmod(places, rows.shape[1])
    sample = Candidates(site, calibration.z(layer, unit, values))
    bounds = {}
    for spike_def, top in tops.items():
        expected = top.capacity / n_values * len(places)
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
    share = (np.arange(1, min(_SAMPLE, n_values) + 1, dtype=np.uint64) * _GOLDEN) >> np.uint64(32)
    return ((share * np.uint64(n_values)) >> np.uint64(32)).astype(np.int64)
