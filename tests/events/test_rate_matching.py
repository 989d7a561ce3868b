"""Matching against a full sort, on u of one's own: heavy first tokens, coarse formats, ties, units that never vary."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from critnb.canon import SpikeDef
from critnb.events import Calibration, RateTargets, gather, match_rates, screening_bounds
from critnb.events.largest_values import LargestValues
from critnb.model.forward import Setting

ONE, TWO = SpikeDef
RATES = (0.002, 0.02)


def made(kind: str, dtype: torch.dtype, *, windows: int, tokens: int, units: int, seed: int) -> torch.Tensor:
    u = torch.randn((windows, tokens, units), generator=torch.Generator().manual_seed(seed))
    if kind == "first token":
        u[:, 0] *= 40
    elif kind == "coarse":
        u = torch.round(2 * u) / 2
    elif kind == "silent units":
        u[..., ::2] = 3
    elif kind == "all equal":
        u[:] = 1.5
    elif kind == "rising":
        u += torch.linspace(0, 8, windows * tokens).reshape(windows, tokens, 1)
    elif kind == "infinite":
        u[-1, -1, :3] = torch.tensor([torch.inf, -torch.inf, torch.nan])[: min(3, units)]
    elif kind == "zeros":
        u = u.relu()
    return u.to(dtype)


def passes_over(u: torch.Tensor, size: int, burn_in: int = 0):
    def run(_tokens, _setting, on_units, _on_batch):
        for first in range(0, len(u), size):
            on_units(first, 0, u[first : first + size, burn_in:])

    return SimpleNamespace(run=run, burn_in=burn_in)


def matched(u, *, size=4, burn_in=0, bounds=None):
    seen = u[:, burn_in:].double().numpy()
    mu, sigma = seen.mean(axis=(0, 1), dtype=np.float64), seen.std(axis=(0, 1))
    calibration = Calibration(mu[None].astype(np.float32), sigma[None].astype(np.float32), 1)
    targets = RateTargets(1.0, u.shape[-1], {kind: np.array([0.1]) for kind in SpikeDef}, RATES)
    tokens = np.zeros(u.shape[:2], dtype=np.int64)
    found = match_rates(passes_over(u, size, burn_in), tokens, calibration, targets, Setting(), bool, bounds)
    z = (seen - calibration.mu[0].astype(np.float64)) / (calibration.sigma[0].astype(np.float64) + 1e-6)
    return *found, {ONE: z, TWO: np.abs(z)}


def assert_is_a_full_sort(thresholds, counts, scores):
    for i, spike_def in enumerate(thresholds.spike_defs):
        v = scores[spike_def]
        ordered = np.sort(v, axis=None)[::-1]
        for r in range(len(RATES)):
            tau = ordered[thresholds.target_events[i, r, 0]]
            assert thresholds.tau[i, r, 0] == tau
            assert thresholds.events[i, r, 0] == np.count_nonzero(v > tau)
            assert thresholds.ties[i, r, 0] == np.count_nonzero(v == tau)
            np.testing.assert_array_equal(counts[i, r, :, 0], (v > tau).sum(axis=-1))


KINDS = ["plain", "first token", "coarse", "silent units", "all equal", "rising"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_thresholds_counts_and_ties_are_those_of_a_full_sort(kind, dtype):
    u = made(kind, dtype, windows=12, tokens=32, units=200, seed=1)
    for size, burn_in in ((4, 0), (12, 0), (5, 3)):
        assert_is_a_full_sort(*matched(u, size=size, burn_in=burn_in))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(2, 9),
    st.integers(2, 20),
    st.integers(10, 90),
    st.integers(1, 9),
    st.sampled_from([None, -np.inf, -1.0, 0.5, 2.0, 1e9, np.nan]),
    st.integers(0, 99),
)
def test_no_first_bound_and_no_sample_reaches_a_result(kind, windows, tokens, units, size, bound, seed):
    u = made(kind, torch.float32, windows=windows, tokens=tokens, units=units, seed=seed)
    known = {} if bound is None else dict.fromkeys([(0, ONE), (0, TWO)], bound)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screening_bounds, "_FIRST_VALUES", 100)
        patch.setattr(screening_bounds, "_SAMPLE", 300)
        if seed % 2:  # a sample that sees one value alone misleads every guess
            patch.setattr(screening_bounds, "sampled_places", lambda n: np.zeros(min(n, 300), dtype=np.int64))
        assert_is_a_full_sort(*matched(u, size=size, bounds=known))


def test_a_neighbour_s_bounds_are_left_for_the_next_setting_and_serve_it():
    first, second = (made("plain", torch.float32, windows=8, tokens=32, units=200, seed=seed) for seed in (1, 2))
    known: screening_bounds.FirstBounds = {}
    matched(first, bounds=known)
    assert set(known) == {(0, ONE), (0, TWO)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            screening_bounds, "_sampled_bounds", lambda *_: pytest.fail("the neighbour's bounds did not serve")
        )
        assert_is_a_full_sort(*matched(second, bounds=known))


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("kind", ["plain", "first token"])
def test_few_values_are_looked_at_one_by_one_wherever_the_events_lie(kind, sampled, monkeypatch):
    scored = []
    plain_z = Calibration.z
    monkeypatch.setattr(
        Calibration, "z", lambda self, layer, unit, u: scored.append(len(u)) or plain_z(self, layer, unit, u)
    )
    monkeypatch.setattr(screening_bounds, "_FIRST_VALUES", 2_000)
    monkeypatch.setattr(screening_bounds, "_SAMPLE", 20_000)
    if not sampled:
        monkeypatch.setattr(screening_bounds, "_ranks", lambda *_: None)
    u = made(kind, torch.float32, windows=64, tokens=128, units=100, seed=1)
    thresholds, _, _ = matched(u, size=32)
    wanted = 2 * thresholds.target_events.max()
    # screening everything would be 819 200; a top that is fed in blocks sees each of its k values some ln(n / k) times
    assert sum(scored) < 6 * wanted + 20_000
    assert max(scored) < 3 * wanted + 20_000


@pytest.mark.parametrize("n", [10, 6_000, 4_000_000, 77_594_624])
def test_sampled_places_favour_no_token_and_no_unit(n):
    places = screening_bounds.sampled_places(n)
    assert places.min() >= 0
    assert places.max() < n
    for period in (128, 256, 1536):
        if n < 100 * period:
            continue
        for of in (places % period, places // 1536 % period):
            share = np.bincount(of, minlength=period) / len(places) * period
            assert np.abs(share - 1).max() < 0.5


@given(
    st.lists(st.lists(st.integers(0, 5), max_size=12), min_size=1, max_size=20),
    st.integers(1, 15),
)
def test_a_top_is_a_sort_of_all_that_was_added(parts, capacity):
    top, everything = LargestValues(capacity), np.array([value for part in parts for value in part])
    start = 0
    for part in parts:
        kept = [(value, start + place) for place, value in enumerate(part) if value >= top.bound]
        top.add(np.array([v for v, _ in kept], dtype=float), np.array([s for _, s in kept], dtype=np.int64))
        start += len(part)
    ordered = np.sort(everything)[::-1]
    for k in range(min(capacity, len(everything))):
        tau = top.threshold(k)
        assert tau == ordered[k]
        assert top.ties(tau) == np.count_nonzero(everything == tau)
        assert sorted(top.sites_above(tau)) == np.flatnonzero(everything > tau).tolist()
    if len(everything) < capacity:
        # as many as there are lie above it
        assert top.threshold(len(everything)) == -np.inf
        assert len(top.sites_above(-np.inf)) == len(everything)


def test_a_top_does_work_in_proportion_to_what_is_added():
    top, rng = LargestValues(1_000), np.random.default_rng(1)
    cuts = []
    largest = top._largest
    top._largest = lambda *kept: cuts.append(len(kept[0])) or largest(*kept)
    for _ in range(1_000):
        values = rng.random(100)
        top.add(values[values >= top.bound], np.flatnonzero(values >= top.bound))
    assert sum(cuts) < 100_000  # cutting back at every addition would be a million


@pytest.mark.parametrize("kind", ["plain", "first token", "rising"])
def test_given_counts_are_matched_exactly(kind):
    """As many of the largest scores as asked for, none included; of equal values fewer, and the ties say so."""
    u = made(kind, torch.float32, windows=9, tokens=16, units=50, seed=4)
    mu, sigma = u.double().numpy().mean(axis=(0, 1)), u.double().numpy().std(axis=(0, 1))
    calibration = Calibration(mu[None].astype(np.float32), sigma[None].astype(np.float32), 1)
    z = (u.double().numpy() - calibration.mu[0].astype(np.float64)) / (calibration.sigma[0].astype(np.float64) + 1e-6)
    wanted = np.array([[[0], [17]], [[123], [1]]])
    tokens = np.zeros(u.shape[:2], dtype=np.int64)
    found = gather(passes_over(u, 4), tokens, calibration, (ONE, TWO), wanted, Setting()).finish()
    np.testing.assert_array_equal(found.events, wanted)
    np.testing.assert_array_equal(found.counts.sum(axis=(2, 4)), wanted)
    for i, scores in enumerate((z, np.abs(z))):
        ordered = np.sort(scores, axis=None)[::-1]
        for r in range(2):
            largest = scores >= ordered[wanted[i, r, 0] - 1] if wanted[i, r, 0] else scores > np.inf
            np.testing.assert_array_equal(found.counts[i, r, :, 0], largest.sum(axis=-1))
    equal = gather(
        passes_over(torch.ones((4, 3, 5)), 2), np.zeros((4, 3), dtype=np.int64),
        Calibration(np.zeros((1, 5), np.float32), np.ones((1, 5), np.float32), 1), (ONE,), np.array([[[7]]]), Setting(),
    ).finish()  # fmt: skip
    assert (equal.events.item(), equal.ties.item()) == (0, 60)
