"""Events chosen on another device: what the host finds, bit for bit, and one transfer for each layer and batch."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from events.test_rate_matching import made
from hypothesis import example, given, settings
from hypothesis import strategies as st
from models import loaded, tiny_llama
from other_device import OtherDevice

from critnb.canon import SpikeDef
from critnb.errors import NonFiniteError
from critnb.events import (
    Calibration,
    RateTargets,
    base_rates,
    calibrate,
    extract,
    match_rates,
    on_device,
    screening_bounds,
)
from critnb.events.screening import event_places, screen
from critnb.model.forward import ForwardPasses, Setting

ONE, TWO = SpikeDef
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
BATCH, TOKENS = 4, 32


class ThereForwardPasses(ForwardPasses):
    """Forward passes of the processor whose u is read on another device."""

    def __init__(self, *args, device=None, **words):
        super().__init__(*args, **words)
        self._there = device

    def run(self, tokens, setting, on_units, *more):
        put = on_units if self._there is None else lambda first, layer, u: on_units(first, layer, self._there.put(u))
        with self._there or nullcontext():
            super().run(tokens, setting, put, *more)


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def model(request):
    model = loaded(tiny_llama(units=96))
    model.causal.to(getattr(torch, request.param))
    return model


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(7).integers(0, 257, size=(10, TOKENS))


def all_passes(model, tokens, burn_in, device=None):
    """Everything that stages take from u: moments, base rates, two settings in turn, and counts of other windows."""
    passes = ThereForwardPasses(model, batch_tokens=BATCH * TOKENS, burn_in=burn_in, device=device)
    seen = {} if device is None else device.seen
    calibration = calibrate(ThereForwardPasses(model, batch_tokens=BATCH * TOKENS, burn_in=burn_in), tokens)
    base = base_rates(passes, tokens, calibration, (ONE, TWO), 1.5)
    targets = RateTargets(1.5, model.n_units, base, (0.002, 0.01))
    counted, found, known = [dict(seen)], [*base.values()], {}
    for gain in (0.9, 1.0):
        thresholds, counts = match_rates(passes, tokens, calibration, targets, Setting(gain=gain), first_bounds=known)
        found += [thresholds.tau, thresholds.events, thresholds.ties, counts]
        counted.append(dict(seen))
    found.append(extract(passes, tokens[::-1].copy(), calibration, thresholds.tau, (ONE, TWO), Setting(gain=1.1)))
    return found, [*counted, dict(seen)], calibration, passes


@pytest.mark.parametrize("burn_in", [0, 3])
def test_stages_find_the_same_and_ask_once_a_layer_and_batch(model, tokens, burn_in):
    device = OtherDevice()
    found, counted, calibration, passes = all_passes(model, tokens, burn_in, device)
    for here, there in zip(all_passes(model, tokens, burn_in)[0], found, strict=True):
        np.testing.assert_array_equal(here, there)
    once = model.n_layers * 3  # three batches
    assert [each["transfers"] for each in counted] == [once, 2 * once, 3 * once, 4 * once]
    # mu and scale of each layer, and the places of a sample for the two shapes of a batch at most
    assert counted[-1]["uploads"] <= 2 * model.n_layers + 2
    device.seen.clear()
    again = calibrate(passes, tokens)
    assert device.seen == {"transfers": once}
    # float64 sums in another order, seen through float32
    np.testing.assert_allclose(again.mu, calibration.mu, rtol=2e-7, atol=1e-12)
    np.testing.assert_allclose(again.sigma, calibration.sigma, rtol=2e-7)


def test_a_device_without_float64_is_not_asked_for_it(model, tokens, monkeypatch):
    monkeypatch.setattr(on_device, "_ON_HOST", ("cpu", "meta"))
    device = OtherDevice(has_float64=False)
    found, counted, calibration, passes = all_passes(model, tokens, 0, device)
    for here, there in zip(all_passes(model, tokens, 0)[0], found, strict=True):
        np.testing.assert_array_equal(here, there)
    once = model.n_layers * 3
    assert [each["transfers"] for each in counted] == [once, 2 * once, 3 * once, 4 * once]
    again = calibrate(passes, tokens)
    np.testing.assert_array_equal((again.mu, again.sigma), (calibration.mu, calibration.sigma))


def test_the_host_decides_on_a_layer_after_the_device_has_begun_with_the_next(model, tokens, monkeypatch):
    order = []
    plain_choose, plain_wait = on_device.choose, on_device.Choosing.wait
    monkeypatch.setattr(
        on_device, "choose", lambda u, layer, *more: order.append(layer) or plain_choose(u, layer, *more)
    )
    monkeypatch.setattr(on_device.Choosing, "wait", lambda self: order.append("wait") or plain_wait(self))
    passes = ThereForwardPasses(model, batch_tokens=10**6, device=OtherDevice())
    calibration = calibrate(ThereForwardPasses(model, batch_tokens=10**6), tokens)
    base_rates(passes, tokens, calibration, (ONE,), 1.5)
    assert order == [0, 1, "wait", 2, "wait", "wait"]


def test_activations_that_are_not_finite_are_refused_as_by_the_host(tokens):
    model = loaded(tiny_llama())
    calibration = calibrate(ForwardPasses(model, batch_tokens=128), tokens)
    targets = RateTargets(1.5, model.n_units, {ONE: np.full(model.n_layers, 0.1)}, (0.01,))
    said = []
    for device in (None, OtherDevice()):
        passes = ThereForwardPasses(model, batch_tokens=128, device=device)
        with pytest.raises(NonFiniteError) as raised:
            match_rates(passes, tokens, calibration, targets, Setting(gain=1e38))
        said.append(str(raised.value))
    assert said[0] == said[1]
    assert "gain 1e+38" in said[0]


class Readings:
    """Passes over given u, on the host or on another device; batches of ``size`` windows."""

    burn_in = 0

    def __init__(self, u, size, device=None):
        self.u, self.size, self.device = u, size, device

    def run(self, _tokens, _setting, on_units, on_batch):
        with self.device or nullcontext():
            for first in range(0, len(self.u), self.size):
                u = self.u[first : first + self.size]
                on_units(first, 0, u if self.device is None else self.device.put(u))
                on_batch(len(u))


KINDS = ["plain", "first token", "coarse", "silent units", "all equal", "infinite", "zeros"]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(DTYPES),
    st.tuples(st.integers(2, 9), st.integers(2, 20), st.integers(3, 90)),
    st.integers(1, 9),
    st.sampled_from([None, -np.inf, -1.0, 0.5, 2.0, 1e9, np.nan]),
    st.integers(0, 99),
)
@example("all equal", torch.bfloat16, (9, 20, 90), 4, 0.5, 1)
@example("first token", torch.float16, (9, 20, 90), 4, None, 1)
def test_whatever_is_guessed_a_full_sort_says_the_same(kind, dtype, shape, size, bound, seed):
    windows, length, units = shape
    u = made(kind, dtype, windows=windows, tokens=length, units=units, seed=seed)
    seen = torch.nan_to_num(u.double(), nan=0, posinf=0, neginf=0).numpy()
    mu, sigma = (getattr(seen, name)(axis=(0, 1))[None].astype(np.float32) for name in ("mean", "std"))
    calibration = Calibration(mu, sigma, 1)
    targets = RateTargets(1.0, units, {ONE: np.array([0.1]), TWO: np.array([0.1])}, (0.002, 0.02))
    known = {} if bound is None else dict.fromkeys([(0, ONE), (0, TWO)], bound)
    device = OtherDevice()
    with pytest.MonkeyPatch.context() as patch, np.errstate(invalid="ignore"):
        patch.setattr(screening_bounds, "_FIRST_VALUES", 100)
        patch.setattr(on_device, "_LEAST_ROOM", 1 + seed % 40)  # too little room for what passes, mostly
        if seed % 2:  # a sample that sees one value alone misleads every guess
            patch.setattr(screening_bounds, "sampled_places", lambda n: np.zeros(min(n, 300), dtype=np.int64))
        passes = Readings(u, size, device)
        found, counts = match_rates(
            passes, np.zeros(u.shape[:2], dtype=np.int64), calibration, targets, Setting(), first_bounds=known
        )
        z = (u.double().numpy() - mu[0].astype(np.float64)) / (sigma[0].astype(np.float64) + 1e-6)
        batches = -(-windows // size)
        # a neighbour's bounds, a sample's, then all of u; later ones how many there are, and all, where there was too little room
        assert device.seen["transfers"] <= 3 * batches
        for i, v in enumerate((z, np.abs(z))):
            ordered = np.sort(v[~np.isnan(v)], axis=None)[::-1]
            for r in range(2):
                tau = ordered[found.target_events[i, r, 0]]
                assert found.tau[i, r, 0] == tau
                assert found.ties[i, r, 0] == np.count_nonzero(v == tau)
                np.testing.assert_array_equal(counts[i, r, :, 0], (v > tau).sum(axis=-1))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_first_batch_of_heavy_first_tokens_takes_one_transfer(dtype):
    """Where events lie on one token of each window, a sample at every 16th value would say they are that common."""
    u = made("first token", dtype, windows=16, tokens=16, units=500, seed=3)
    wide = u.double().numpy()
    calibration = Calibration(*(each[None].astype(np.float32) for each in (wide.mean((0, 1)), wide.std((0, 1)))), 1)
    device = OtherDevice()
    wanted = np.full((2, 1, 1), 200)
    tokens = np.zeros((16, 16), dtype=np.int64)
    targets = RateTargets(1.0, 500, {ONE: np.array([0.1]), TWO: np.array([0.1])}, (wanted[0, 0, 0] / u.numel(),))
    both = [match_rates(Readings(u, 8, there), tokens, calibration, targets, Setting()) for there in (None, device)]
    np.testing.assert_array_equal(both[0][0].tau, both[1][0].tau)
    np.testing.assert_array_equal(both[0][1], both[1][1])
    assert device.seen["transfers"] == 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_units_whose_mean_the_bound_cancels_keep_the_value_at_the_bound(dtype):
    """u = 0 at the bound itself: mu - b sigma is a rounding error beside zero, whose neighbours are much nearer."""
    random = np.random.default_rng(1)
    sigma = random.uniform(0.1, 3, size=(1, 400)).astype(np.float32)
    mu = random.uniform(1, 9, size=(1, 400)).astype(np.float32)
    calibration = Calibration(mu, sigma, 1)
    u = torch.zeros((1, 1, 400), dtype=dtype)
    z = calibration.z(0, np.arange(400), np.zeros(400))
    device = OtherDevice()
    for unit in range(400):
        bound = float(-z[unit])
        with device:
            there = screen(device.put(u), 0, calibration, {TWO: bound})
        for found in (screen(u, 0, calibration, {TWO: bound}), there):
            assert unit in found.unit
            assert np.count_nonzero(np.abs(found.z) >= bound) == np.count_nonzero(np.abs(z) >= bound)


def test_the_places_of_knock_outs_are_those_of_the_host():
    u = made("plain", torch.bfloat16, windows=3, tokens=20, units=50, seed=1)
    calibration = Calibration(np.zeros((1, 50), np.float32), np.ones((1, 50), np.float32), 1)
    device = OtherDevice()
    with device:
        there = event_places(device.put(u), 0, calibration, TWO, 1.5)
    np.testing.assert_array_equal(there, event_places(u, 0, calibration, TWO, 1.5))
    np.testing.assert_array_equal(there, np.flatnonzero(u.double().abs().numpy() / (1 + 1e-6) > 1.5))
    # the device is asked how many there are, and then for them
    assert device.seen["transfers"] == 2


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_card_chooses_without_waiting_and_finds_what_the_host_does(dtype):
    u = made("first token", dtype, windows=8, tokens=64, units=3000, seed=5)
    wide = u.double().numpy()
    calibration = Calibration(*(each[None].astype(np.float32) for each in (wide.mean((0, 1)), wide.std((0, 1)))), 1)
    there, places = u.cuda(), screening_bounds.sampled_places(u.numel())
    ranks = {ONE: 300, TWO: 400}
    on_device.sampled_bounds(there, 0, calibration, places, ranks)  # vectors and places are sent
    torch.cuda.set_sync_debug_mode("error")
    try:
        bounds = on_device.sampled_bounds(there, 0, calibration, places, ranks)
        choosing = on_device.choose(there, 0, calibration, bounds, room=u.numel() // 8)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    chosen = choosing.wait()
    found = screen(u, 0, calibration, dict(zip(bounds, chosen.bounds, strict=True)))
    np.testing.assert_array_equal(chosen.place, found.site * 3000 + found.unit)
    np.testing.assert_array_equal(chosen.value, wide.ravel()[chosen.place])
    tokens, targets = np.zeros((8, 64), dtype=np.int64), RateTargets(1.0, 3000, {TWO: np.array([0.1])}, (0.001,))
    both = [match_rates(Readings(each, 4), tokens, calibration, targets, Setting()) for each in (u, there)]
    np.testing.assert_array_equal(both[0][0].tau, both[1][0].tau)
    np.testing.assert_array_equal(both[0][1], both[1][1])


@pytest.mark.gpu
def test_stages_on_a_card_agree_with_the_processor(tokens):
    here, there = loaded(tiny_llama(units=96)), loaded(tiny_llama(units=96))
    object.__setattr__(there, "device", torch.device("cuda"))
    there.causal.cuda()
    (found, _, calibration, _), (on_card, _, other, _) = (all_passes(model, tokens, 0) for model in (here, there))
    # float32 on both: sums of products differ in their order
    np.testing.assert_allclose(other.mu, calibration.mu, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(other.sigma, calibration.sigma, rtol=1e-3)
    for one, card in zip(found, on_card, strict=True):
        if one.dtype == np.uint16:
            assert np.count_nonzero(one != card) <= 0.01 * np.count_nonzero(one) + 4
        else:
            whole = np.issubdtype(one.dtype, np.integer)
            np.testing.assert_allclose(card, one, rtol=1e-2, atol=4 if whole else 2e-3)
