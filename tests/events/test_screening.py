"""Screening against a plain comparison of z, on the host and on another device: no event is lost, and few others come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from other_device import OtherDevice

from critnb.canon import SpikeDef
from critnb.events import Calibration, screening
from critnb.events.screening import screen

ONE, TWO = SpikeDef
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def made(shape, dtype, seed=1):
    random = torch.Generator().manual_seed(seed)
    u = (torch.randn(shape, generator=random) * 3).to(dtype)
    mu = torch.randn((1, shape[-1]), generator=random).numpy()
    sigma = torch.rand((1, shape[-1]), generator=random).numpy() * 3
    sigma[0, :2] = 0  # units that never vary are divided by EPS alone
    return u, Calibration(mu, sigma, 1)


def scores(u, calibration, spike_def):
    wide = u.reshape(-1, u.shape[-1]).double().numpy()
    z = (wide - calibration.mu[0].astype(np.float64)) / (calibration.sigma[0].astype(np.float64) + 1e-6)
    return np.abs(z) if spike_def is TWO else z


@pytest.fixture(params=["host", "another device"])
def screened(request):
    """Either way of reading u."""
    if request.param == "host":
        yield screen
        return
    with OtherDevice() as device:
        yield lambda u, *more: screen(device.put(u), *more)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 7), (3, 40, 64), (2, 33, 1001), (300, 9)], ids=str)
@pytest.mark.parametrize("small", [True, False])
def test_every_value_at_or_above_a_bound_is_found(shape, dtype, small, screened, monkeypatch):
    if small:  # room and blocks so small that the reading stops and goes on many times
        monkeypatch.setattr(screening, "_ROOM", 8)
        monkeypatch.setattr(screening, "_WIDENED", 100)
    u, calibration = made(shape, dtype)
    for kinds in ((ONE,), (TWO,), (ONE, TWO)):
        for bound in (-np.inf, -0.5, 0.0, 1.5, 3.0, np.inf):
            found = screened(u, 0, calibration, dict.fromkeys(kinds, bound))
            assert (np.diff(found.site * shape[-1] + found.unit) > 0).all()
            for kind in kinds:
                v = scores(u, calibration, kind)
                np.testing.assert_array_equal(found.score(kind), v[found.site, found.unit])
                here = found.score(kind) >= bound
                np.testing.assert_array_equal(np.stack((found.site[here], found.unit[here])), np.nonzero(v >= bound))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_value_equal_to_the_bound_and_its_neighbours_are_decided_exactly(dtype, screened):
    """Bounds are the very z of values of u, so that rounding to the format of u could lose them."""
    u, calibration = made((4, 16, 30), dtype)
    v = scores(u, calibration, TWO)
    for bound in np.sort(v, axis=None)[-400::7]:
        found = screened(u, 0, calibration, {TWO: float(bound)})
        assert np.count_nonzero(found.score(TWO) >= bound) == np.count_nonzero(v >= bound)
        assert np.count_nonzero(found.score(TWO) > bound) == np.count_nonzero(v > bound)


@pytest.mark.parametrize(("dtype", "more"), [(torch.float32, 1.01), (torch.bfloat16, 1.01)], ids=str)
def test_few_values_are_found_that_are_no_events(dtype, more):
    u, calibration = made((16, 128, 100), dtype)
    events = np.count_nonzero(scores(u, calibration, ONE)[:, 2:] > 2)
    assert events < len(screen(u[..., 2:], 0, of_units(calibration, 2), {ONE: 2.0}).z) + 1 < more * events + 20


def of_units(calibration, first):
    return Calibration(calibration.mu[:, first:], calibration.sigma[:, first:], 1)


def test_windows_without_their_burn_in_are_read_as_a_copy_of_them(screened):
    u, calibration = made((5, 20, 33), torch.float32)
    seen = u[:, 3:]
    assert not seen.is_contiguous()
    found, copied = (screened(each, 0, calibration, {TWO: 1.0}) for each in (seen, seen.clone().contiguous()))
    np.testing.assert_array_equal(found.site, copied.site)
    np.testing.assert_array_equal(found.z, copied.z)


def test_what_is_not_finite_takes_no_value_along(screened):
    u, calibration = made((2, 6, 17), torch.float32)
    u[1, 2, 3:9] = torch.nan
    with np.errstate(invalid="ignore"):
        v = scores(u, calibration, TWO)
        found = screened(u, 0, calibration, {TWO: 1.0})
        assert np.count_nonzero(found.score(TWO) > 1) == np.count_nonzero(v > 1)
