"""Moments in slices: the bits of a whole window, and no more float64 at a time than a slice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from critnb.events import calibration
from critnb.events.calibration import Moments


def whole_windows(u: torch.Tensor):
    """The same moments of each window widened as a whole, merged one by one."""
    moments, wide = Moments(1, u.shape[2]), u.double()
    means = wide.mean(dim=1)
    squares = (wide - means[:, None]).square().sum(dim=1)
    for mean, square in zip(means.numpy(), squares.numpy(), strict=True):
        moments.merge(0, u.shape[1], mean=mean, squares=square)
    return moments.finish()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 64, 100), (5, 127, 33), (2, 600, 257), (7, 16, 2500)], ids=str)
@pytest.mark.parametrize(("values", "units"), [(1, 1), (1000, 7), (5000, 64), (1 << 22, 1 << 10)])
def test_slices_change_no_bit(shape, dtype, values, units, monkeypatch):
    made = torch.Generator().manual_seed(1)
    u = (torch.randn(shape, generator=made) * torch.rand(shape[2], generator=made) * 9 + 2).to(dtype)
    monkeypatch.setattr(calibration, "_WIDE_VALUES", values)
    monkeypatch.setattr(calibration, "_LEAST_UNITS", units)
    moments = Moments(1, shape[2])
    moments.add(0, u)
    found, plain = moments.finish(), whole_windows(u)
    np.testing.assert_array_equal(found.mu, plain.mu)
    np.testing.assert_array_equal(found.sigma, plain.sigma)
    assert found.n_samples == plain.n_samples
    np.testing.assert_allclose(found.mu[0], u.double().mean(dim=(0, 1)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 256, 5000), (1, 4096, 3000), (40, 128, 900)], ids=str)
def test_no_slice_is_wider_than_the_limit(shape, monkeypatch):
    wide, plain = [], calibration._of_windows
    monkeypatch.setattr(calibration, "_of_windows", lambda u: wide.append(u.numel()) or plain(u))
    Moments(1, shape[2]).add(0, torch.zeros(shape))
    assert max(wide) <= calibration._WIDE_VALUES
    assert sum(wide) == np.prod(shape)
