"""Moments of windows: numpy's of each window, bit by bit, whatever the slices; and no wider than a slice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from other_device import OtherDevice

from critnb.events import window_moments as module
from critnb.events.calibration import Moments
from critnb.events.window_moments import window_moments

SHAPES = [(1, 2, 1), (3, 64, 100), (5, 127, 33), (2, 600, 257), (7, 16, 2500)]


def made(shape, dtype):
    random = torch.Generator().manual_seed(1)
    return (torch.randn(shape, generator=random) * torch.rand(shape[2], generator=random) * 9 + 2).to(dtype)


def by_numpy(window):
    """Numpy adds the rows of an array one after the other."""
    wide = window.double().numpy()
    mean = wide.mean(axis=0)
    return mean, ((wide - mean) ** 2).sum(axis=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("widened", [1, 5000, 1 << 20])
@pytest.mark.parametrize("burn_in", [0, 1])
def test_moments_of_a_window_are_numpy_s_whatever_the_slices(shape, dtype, widened, burn_in, monkeypatch):
    monkeypatch.setattr(module, "_WIDENED", widened)
    u = made(shape, dtype)[:, burn_in:]
    for window, found in zip(u, window_moments(u)(), strict=True):
        np.testing.assert_array_equal(found, by_numpy(window))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("burn_in", [0, 1])
def test_on_another_device_they_are_the_same_up_to_the_order_of_adding(shape, burn_in, monkeypatch):
    u = made(shape, torch.bfloat16)[:, burn_in:]
    monkeypatch.setattr(module, "_WIDENED_THERE", 700)
    device = OtherDevice()
    with device:
        found = window_moments(device.put(u))
        assert device.seen == {"transfers": 1}
        for window, moments in zip(u, found(), strict=True):
            np.testing.assert_allclose(moments, by_numpy(window), rtol=1e-13, atol=1e-13)
    assert device.seen == {"transfers": 1}


@pytest.mark.parametrize("sizes", [(8,), (1, 7), (3, 3, 2)])
def test_batches_change_no_bit_and_the_merge_is_the_whole(sizes):
    u = made((8, 50, 40), torch.float32) + 1000
    moments, one = Moments(1, 40), Moments(1, 40)
    for part in torch.split(u, sizes):
        for mean, squares in window_moments(part)():
            moments.merge(0, 50, mean=mean, squares=squares)
    for mean, squares in window_moments(u)():
        one.merge(0, 50, mean=mean, squares=squares)
    found, whole = moments.finish(), one.finish()
    np.testing.assert_array_equal(found.mu, whole.mu)
    np.testing.assert_array_equal(found.sigma, whole.sigma)
    assert found.n_samples == 400
    np.testing.assert_allclose(found.mu[0], u.double().mean(dim=(0, 1)), rtol=1e-7)
    # a large mean would drown a sum of squares that is not taken from it
    np.testing.assert_allclose(found.sigma[0], u.double().std(dim=(0, 1), correction=0), rtol=1e-7)


@pytest.mark.parametrize(("n_units", "step"), [(5000, 4096), (3000, 256), (10, 0), (7, 100)])
def test_slices_are_all_units_and_none_is_wider_than_asked(n_units, step):
    widths = [min(each.stop, n_units) - each.start for each in module._slices(n_units, step)]
    assert sum(widths) == n_units
    assert max(widths) <= max(step, 1)
