"""Mean and sum of squared deviations of every unit in each window of u, in float64, a slice at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.events.on_device import Transfer, computes

# The mean [F] and the sum of squared deviations from it [F] of each unit in one window.
OfWindow = tuple[NDArray[np.float64], NDArray[np.float64]]

# So many values are widened at a time: 4 MB of float32 on a CPU, 128 MB of float64 elsewhere, where a call costs as much.
_WIDENED = 1 << 20
_WIDENED_THERE = 1 << 24


def window_moments(u: Tensor) -> Callable[[], Iterator[OfWindow]]:
    """Begin to take the moments of each window of u [B, T, F]; a call of what is returned yields them.

    A unit's sum runs over its tokens alone, so neither slices nor batches change a bit of it on a CPU, where tokens are added
    one after the other, as numpy adds rows. Another device adds in an order of its own, and sends all in one transfer.
    """
    if not computes(u.device):
        here = u.cpu()
        return lambda: map(_on_host, here)
    transfer = Transfer(_there(u))
    return lambda: iter(transfer.wait().numpy())


def _on_host(window: Tensor) -> OfWindow:
    # imported here, since numba takes a moment to load
    from critnb.events import kernels

    dtype = torch.promote_types(window.dtype, torch.float32)
    mean, squares = np.empty(window.shape[1]), np.empty(window.shape[1])
    whole = window.dtype is dtype
    for units in _slices(window.shape[1], window.shape[1] if whole else _WIDENED // len(window)):
        kernels.window_moments(window[:, units].to(dtype).contiguous().numpy(), mean[units], squares[units])
    return mean, squares


def _there(u: Tensor) -> Tensor:
    """Return mean and squares [B, 2, F] of u [B, T, F] where it lies, in float64."""
    found = torch.empty((len(u), 2, u.shape[2]), dtype=torch.float64, device=u.device)
    for units in _slices(u.shape[2], _WIDENED_THERE // (u.shape[0] * u.shape[1])):
        wide = u[..., units].double()
        mean = wide.mean(dim=1)
        found[:, 0, units] = mean
        found[:, 1, units] = wide.sub_(mean[:, None]).square_().sum(dim=1)
    return found


def _slices(n_units: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(first, first + step) for first in range(0, n_units, step))
