"""Find the few values of u that can be events, by comparing u itself with two vectors of one value per unit.

v > b is the same as u > mu + b (sigma + EPS), or u < mu - b (sigma + EPS) for the two-sided definition, so u is read
once and z is never materialised. The vectors are rounded away from the events: no value is lost to rounding, and the
survivors are decided by z in float64, here, wherever u was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events import on_device
from critnb.events.calibration import Calibration
from critnb.events.on_device import Chosen, Rooms
from critnb.events.unit_bounds import low_and_high

Bounds = Mapping[SpikeDef, float]


@dataclass(frozen=True)
class EventCandidates:
    """Values that may be events: the flat index of their site (b * T + t in a batch), their unit, and z; by site, then unit."""

    site: NDArray[np.int64]
    unit: NDArray[np.int64]
    z: NDArray[np.float64]

    def score(self, spike_def: SpikeDef) -> NDArray[np.float64]:
        """Return v under a spike definition."""
        return np.abs(self.z) if spike_def is SpikeDef.SPIKE_TWO_SIDED_ABS else self.z


def screen(u: Tensor, layer: int, calibration: Calibration, bounds: Bounds) -> EventCandidates:
    """Return every value of u [B, T, F], or [sites, F], whose v is at least the bound of some spike definition, and few others."""
    if on_device.chooses(u) and (chosen := on_device.choose(u, layer, calibration, bounds).wait()) is not None:
        return candidates(u, layer, calibration, chosen)
    rows = u.reshape(-1, u.shape[-1]).cpu()
    # float32 holds the coarser formats exactly
    dtype = torch.promote_types(rows.dtype, torch.float32)
    low, high = low_and_high(calibration, layer, bounds, rows.device, dtype)
    site, unit, values = _outside(rows, torch.full_like(high, -torch.inf) if low is None else low, high)
    return EventCandidates(site, unit, calibration.z(layer, unit, values))


def screening(
    u: Tensor, layer: int, calibration: Calibration, bounds: Bounds, rooms: Rooms
) -> Callable[[], EventCandidates]:
    """Begin to screen u as ``screen`` does; a call of what is returned gives what it found, and waits where a device reads u."""
    if not on_device.chooses(u):
        found = screen(u, layer, calibration, bounds)
        return lambda: found
    choosing = on_device.choose(u, layer, calibration, bounds, rooms.of(layer, u.numel()))

    def finish() -> EventCandidates:
        chosen = choosing.wait()
        found = candidates(u, layer, calibration, chosen) if chosen else screen(u, layer, calibration, bounds)
        rooms.note(layer, len(found.z), u.numel())
        return found

    return finish


def candidates(u: Tensor, layer: int, calibration: Calibration, chosen: Chosen) -> EventCandidates:
    """Return what a device has chosen of u as candidates."""
    site, unit = np.divmod(chosen.place, u.shape[-1])
    return EventCandidates(site, unit, calibration.z(layer, unit, chosen.value))


def event_places(u: Tensor, layer: int, calibration: Calibration, spike_def: SpikeDef, tau: float) -> NDArray[np.int64]:
    """Return the flat place, site * F + unit, of every event of u [B, T, F], ascending."""
    found = screen(u, layer, calibration, {spike_def: tau})
    here = found.score(spike_def) > tau
    return found.site[here] * u.shape[-1] + found.unit[here]


# sites, units and values
_Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


# So many float16 are widened to float32 at a time, 0.5 MB, which stay in the second-level cache.
_WIDENED = 1 << 17
# The least room for what is found; beyond it the reading goes on with room of its own.
_ROOM = 1 << 16


def _outside(rows: Tensor, low: Tensor, high: Tensor) -> _Found:
    """Return what lies outside of two vectors [F], of rows [n, F] on the host."""
    # imported here, since numba takes a moment to load
    from critnb.events import kernels

    outside = kernels.outside_bfloat16 if rows.dtype is torch.bfloat16 else kernels.outside
    width = rows.shape[1]
    row_mask = np.zeros(-(-width // kernels.WORD) * kernels.WORD, dtype=np.uint8)
    bounds, room = (low.numpy(), high.numpy()), max(_ROOM, len(row_mask))
    parts: list[_Found] = []
    for start, block in _as_arrays(rows.contiguous(), low.dtype):
        row = 0
        while row < len(block):
            site, unit, value = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room)
            found, row = outside(block, *bounds, row, row_mask, site, unit, value)
            site[:found] += start
            parts.append((site[:found], unit[:found], value[:found]))
    if len(parts) == 1:
        return parts[0]
    site, unit, value = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    return site, unit, value


def _as_arrays(rows: Tensor, dtype: torch.dtype) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield the place of each block's first row, and the block in a format that numpy has."""
    if rows.dtype is torch.bfloat16:
        yield 0, rows.view(torch.uint16).numpy()
        return
    step = max(1, _WIDENED // rows.shape[1] if rows.dtype is not dtype else len(rows))
    for start in range(0, len(rows), step):
        yield start, rows[start : start + step].to(dtype).numpy()
