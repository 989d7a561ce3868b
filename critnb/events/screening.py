"""Find the few values of u that can be events, by comparing u itself with two vectors of one value per unit.

v > b is the same as u > mu + b (sigma + EPS), or u < mu - b (sigma + EPS) for the two-sided definition, so u is read
once and z is never materialised. The vectors are rounded away from the events in u's own number format: no value is
lost to rounding, and the survivors are decided by z in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration

Bounds = Mapping[SpikeDef, float]


@dataclass(frozen=True)
class EventCandidates:
    """Values that may be events: the flat index of their site (b * T + t in a batch), their unit, and z; by site, then unit."""

    site: NDArray[np.intp]
    unit: NDArray[np.intp]
    z: NDArray[np.float64]

    def score(self, spike_def: SpikeDef) -> NDArray[np.float64]:
        """Return v under a spike definition."""
        return np.abs(self.z) if spike_def is SpikeDef.SPIKE_TWO_SIDED_ABS else self.z


def screen(u: Tensor, layer: int, calibration: Calibration, bounds: Bounds) -> EventCandidates:
    """Return every value of u [B, T, F], or [sites, F], whose v is at least the bound of some spike definition, and few others."""
    u = u.contiguous()
    upper = _outer(calibration, layer, min(bounds.values()), u, side=1)
    two_sided = bounds.get(SpikeDef.SPIKE_TWO_SIDED_ABS)
    lower = None if two_sided is None else _outer(calibration, layer, two_sided, u, side=-1)
    if u.device.type == "cpu" and u.dtype is not torch.bfloat16:
        index, values = _outside_in_blocks(u, upper, lower)
    else:
        index, values = _outside(u, upper, lower)
    site, unit = np.divmod(index, u.shape[-1])
    return EventCandidates(site, unit, calibration.z(layer, unit, values))


def event_places(u: Tensor, layer: int, calibration: Calibration, spike_def: SpikeDef, tau: float) -> NDArray[np.int64]:
    """Return the flat place, site * F + unit, of every event of u [B, T, F], ascending."""
    found = screen(u, layer, calibration, {spike_def: tau})
    here = found.score(spike_def) > tau
    return found.site[here].astype(np.int64) * u.shape[-1] + found.unit[here]


_Found = tuple[NDArray[np.intp], NDArray[np.float64]]


def _outside(u: Tensor, upper: Tensor, lower: Tensor | None) -> _Found:
    mask = u > upper
    if lower is not None:
        mask |= u < lower
    places = mask.view(-1).nonzero().squeeze(1)
    return places.cpu().numpy(), u.view(-1)[places].float().cpu().numpy().astype(np.float64)


# A block and its mask stay in the second-level cache; torch's comparison of a whole batch took 2.7 times as long.
_BLOCK_VALUES = 1 << 18


def _outside_in_blocks(u: Tensor, upper: Tensor, lower: Tensor | None) -> _Found:
    rows = u.view(-1, u.shape[-1]).numpy()
    high, low = upper.numpy(), None if lower is None else lower.numpy()
    step = max(1, _BLOCK_VALUES // rows.shape[1])
    found = []
    for first in range(0, len(rows), step):
        block = rows[first : first + step]
        mask = block > high
        if low is not None:
            mask |= block < low
        found.append(np.flatnonzero(mask) + first * rows.shape[1])
    index = np.concatenate(found)
    return index, rows.reshape(-1)[index].astype(np.float64)


def _outer(calibration: Calibration, layer: int, bound: float, like: Tensor, *, side: int) -> Tensor:
    """Return mu + side * bound * (sigma + EPS) in the number format of u, rounded so that every event lies beyond it."""
    rounded = torch.from_numpy(calibration.mu[layer] + side * bound * calibration.scale[layer]).to(like.dtype)
    inwards = torch.full_like(rounded, -side * torch.inf)
    # two steps: one undoes rounding the wrong way, one lets values equal to the bound pass a strict comparison
    return torch.nextafter(torch.nextafter(rounded, inwards), inwards).to(like.device)
