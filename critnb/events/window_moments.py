"""Mean and sum of squared deviations of every unit in each window of u, in float64, a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# The mean [F] and the sum of squared deviations from it [F] of each unit in one window.
OfWindow = tuple[NDArray[np.float64], NDArray[np.float64]]

# So many values are widened at a time: 4 MB of float32 on a CPU, 8 MB of float64 and as much for deviations elsewhere.
_WIDENED = 1 << 20


def window_moments(u: Tensor) -> Iterator[OfWindow]:
    """Yield the moments of each window of u [B, T, F].

    A unit's sum runs over its tokens in an order that the other units and windows have no part in, so neither slices nor
    batches change a bit. On a CPU tokens are added one after the other, as numpy adds rows.
    """
    if u.device.type == "cpu":
        yield from map(_on_host, u)
        return
    # Apple's devices have no float64
    here = u if u.device.type != "mps" else u.cpu()
    # one transfer a batch
    yield from torch.stack([_on_device(window) for window in here]).cpu().numpy()


def _on_host(window: Tensor) -> OfWindow:
    # imported here, since numba takes a moment to load
    from critnb.events import kernels

    dtype = torch.promote_types(window.dtype, torch.float32)
    mean, squares = np.empty(window.shape[1]), np.empty(window.shape[1])
    for units in _slices(window, whole=window.dtype is dtype):
        kernels.window_moments(window[:, units].to(dtype).contiguous().numpy(), mean[units], squares[units])
    return mean, squares


def _on_device(window: Tensor) -> Tensor:
    found = torch.empty((2, window.shape[1]), dtype=torch.float64, device=window.device)
    for units in _slices(window):
        wide = window[:, units].double()
        found[0, units] = wide.mean(dim=0)
        found[1, units] = (wide - found[0, units]).square_().sum(dim=0)
    return found


def _slices(window: Tensor, *, whole: bool = False) -> Iterator[slice]:
    length, n_units = window.shape
    step = n_units if whole else max(1, _WIDENED // length)
    return (slice(first, first + step) for first in range(0, n_units, step))
