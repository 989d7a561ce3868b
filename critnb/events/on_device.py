"""Choosing what may be an event on the device where u lies, a GPU of CUDA or ROCm: one transfer to the host for each u.

The device sends flat places and values of what passes a comparison in a buffer of a length fixed before, so that neither side
waits to learn how many there are. Apple's devices have no float64, and share the host's memory: the host reads their u.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration
from critnb.events.unit_bounds import Bound, low_and_high, mu_and_scale

_ON_HOST = ("cpu", "mps")
_FORMATS = (torch.float32, torch.bfloat16, torch.float16)
# places are sent as int32
_MOST_VALUES = 2**31
_LEAST_ROOM = 1 << 10


def computes(device: torch.device) -> bool:
    """Tell whether u of a device is worked on there: it is not the processor, and has float64."""
    return device.type not in _ON_HOST


def chooses(u: Tensor) -> bool:
    """Tell whether events of u are chosen where it lies; else the host reads all of it."""
    return computes(u.device) and u.dtype in _FORMATS and 0 < u.numel() < _MOST_VALUES


class Rooms:
    """How many values to make room for in a layer's next transfer: half as many more as its last u gave."""

    def __init__(self, expected: float = 1 / 32) -> None:
        """Begin with a share of all values."""
        self._expected = expected
        self._shares: dict[int, float] = {}

    def of(self, layer: int, n_values: int) -> int:
        """Return the room for so many values of a layer."""
        share = self._shares.get(layer, self._expected)
        return min(n_values, int(1.5 * share * n_values) + _LEAST_ROOM)

    def note(self, layer: int, found: int, n_values: int) -> None:
        """Take note of how many of a layer's values were found."""
        self._shares[layer] = found / n_values


class Transfer:
    """A tensor on its way to the host, which may do other work before it waits."""

    def __init__(self, sent: Tensor) -> None:
        """Begin to send a tensor."""
        self._there = sent.to("cpu", non_blocking=sent.is_cuda)
        self._arrived = torch.cuda.Event() if sent.is_cuda else None  # type: ignore[no-untyped-call]
        if self._arrived is not None:
            self._arrived.record(torch.cuda.current_stream(sent.device))

    def wait(self) -> Tensor:
        """Return the tensor on the host."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._there


@dataclass(frozen=True, eq=False)
class Chosen:
    """Flat places in u, ascending, and their values; and the bounds that they have passed, where the device chose those."""

    place: NDArray[np.int64]
    value: NDArray[np.float64]
    bounds: Sequence[float]

    @classmethod
    def nothing(cls, n_bounds: int) -> Chosen:
        """Return what passes bounds that nothing does."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0), [np.inf] * n_bounds)


@dataclass(frozen=True, eq=False)
class Choosing:
    """What a device was asked to choose."""

    _sent: Transfer
    _n_bounds: int
    _has_room_for_all: bool

    def wait(self) -> Chosen | None:
        """Return what was chosen, or None where there may be more than there was room for."""
        sent = self._sent.wait().numpy()
        head = 2 * self._n_bounds
        place, bits = sent[head:].reshape(2, -1)
        found = int(np.count_nonzero(place >= 0))
        if found == len(place) and not self._has_room_for_all:
            return None
        value = bits[:found].view(np.float32).astype(np.float64)
        return Chosen(place[:found].astype(np.int64), value, sent[:head].view(np.float64).tolist())


def choose(
    u: Tensor, layer: int, calibration: Calibration, bounds: Mapping[SpikeDef, Bound], room: int | None = None
) -> Choosing:
    """Begin to choose every value of u [..., F] whose v is at least the bound of some spike definition.

    There is room for ``room`` values; without one the device is asked first how many there are.
    """
    low, high = low_and_high(calibration, layer, bounds, u.device, torch.float32)
    outside = u > high
    if low is not None:
        outside |= u < low
    flat = outside.reshape(-1)
    found = flat.nonzero() if room is None else torch.nonzero_static(flat, size=room, fill_value=-1)
    place = found.select(1, 0)
    bits = u.take(place.clamp(min=0)).float().view(torch.int32)
    head = [each.reshape(1).view(torch.int32) for each in bounds.values() if isinstance(each, Tensor)]
    return Choosing(Transfer(torch.cat((*head, place.int(), bits))), len(head), room in (None, len(flat)))


def sampled_bounds(
    u: Tensor, layer: int, calibration: Calibration, places: NDArray[np.int64], ranks: Mapping[SpikeDef, int]
) -> Mapping[SpikeDef, Bound]:
    """Return for each definition the v of a given rank among those of u at some flat places, as numbers on the device."""
    mu, scale = mu_and_scale(calibration, layer, u.device)
    at = _on(u.device, places.tobytes())
    unit = at % u.shape[-1]
    z = (u.take(at).double() - mu.take(unit)) / scale.take(unit)
    scores = {SpikeDef.SPIKE_ONE_SIDED_POS: z, SpikeDef.SPIKE_TWO_SIDED_ABS: z.abs()}
    return {kind: scores[kind].topk(rank, sorted=False).values.amin() for kind, rank in ranks.items()}


@lru_cache(maxsize=4)
def _on(device: torch.device, places: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(places, dtype=np.int64).copy()).to(device)
