"""The vectors of one number per unit that u is compared with: where v reaches a bound, rounded away from the events."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration

# of a number that the host knows, or of one without dimensions that only the device does
Bound = float | Tensor
# below this share of its two terms is what a float64 sum, and v itself, may be wrong by
_ROUNDING = 2.0**-51
_LARGEST = float(np.finfo(np.float64).max)

_sent: WeakKeyDictionary[Calibration, dict[tuple[int, torch.device], tuple[Tensor, Tensor]]] = WeakKeyDictionary()


def mu_and_scale(calibration: Calibration, layer: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mu and sigma + EPS of a layer, float64 [F], on a device; they are sent there once."""
    there = _sent.setdefault(calibration, {})
    if (layer, device) not in there:
        both = calibration.mu[layer].astype(np.float64), calibration.scale(layer)
        mu, scale = (torch.from_numpy(each).to(device) for each in both)
        there[layer, device] = mu, scale
    return there[layer, device]


def low_and_high(
    calibration: Calibration, layer: int, bounds: Mapping[SpikeDef, Bound], device: torch.device, dtype: torch.dtype
) -> tuple[Tensor | None, Tensor]:
    """Return vectors [F]: every value whose v reaches the bound of some spike definition lies below one or above the other.

    The first is missing where no definition is two-sided.
    """
    mu, scale = mu_and_scale(calibration, layer, device)
    two_sided = bounds.get(SpikeDef.SPIKE_TWO_SIDED_ABS)
    low = None if two_sided is None else _outer(mu, scale, two_sided, dtype, side=-1)
    return low, _outer(mu, scale, _least(bounds), dtype, side=1)


def _least(bounds: Mapping[SpikeDef, Bound]) -> Bound:
    there = [each for each in bounds.values() if isinstance(each, Tensor)]
    return torch.stack(there).amin() if there else min(map(float, bounds.values()))


def _outer(mu: Tensor, scale: Tensor, bound: Bound, dtype: torch.dtype, *, side: int) -> Tensor:
    """Return mu + side * bound * (sigma + EPS) in a number format, rounded so that every event lies beyond it."""
    distance = scale * bound
    # where the terms cancel, their rounding is more than a step of the sum
    slack = _ROUNDING * (mu.abs() + distance.abs().clamp(max=_LARGEST))
    rounded = (mu + side * (distance - slack)).to(dtype)
    inwards = torch.full_like(rounded, -side * torch.inf)
    # two steps: one undoes rounding the wrong way, one lets values equal to the bound pass a strict comparison
    return torch.nextafter(torch.nextafter(rounded, inwards), inwards)
