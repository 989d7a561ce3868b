"""The summary of knock-outs: ratios of sums by hand, intervals against Student's, and what is not available."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import t as student

from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.knock_outs import (
    KnockOutSums,
    Variant,
    expanded_level,
    sign_flip_p,
    summarise_knock_outs,
)
from critnb.errors import DataError

N, BELOW = 12, 3


def made(seed=0, n=N):
    """Return sums [V, N, L-1] of random numbers, lost more often after a knock-out than after its controls."""
    rng = np.random.default_rng(seed)
    sums = KnockOutSums.zeros((n, BELOW))
    for name, array in sums.arrays().items():
        array[...] = rng.poisson(9, size=array.shape) + (rng.random(array.shape) if "expected" in name else 0)
    sums.out[...] = rng.poisson(20, size=(n, BELOW))
    sums.pairs_before[...] += 30
    sums.pairs[Variant.RANDOM_UNITS] += 25
    return sums


def summary(sums, n=N, replicates=400):
    return summarise_knock_outs(sums, multinomial_weights(n, replicates, 1), seed=1)


def test_every_ratio_is_the_one_of_its_definition():
    sums = made()
    found = summary(sums)
    lost, new, out = sums.lost_next, sums.new_next, sums.out[Variant.EVENTS].sum()
    fewer, above = lost - new, sums.lost_above - sums.new_above
    assert found.sigma_depth.value == pytest.approx((fewer[0] - fewer[1]).sum() / out)
    assert found.at_places.value == pytest.approx((fewer[0] - fewer[2]).sum() / out)
    assert found.offspring.value == pytest.approx((above[0] - above[1]).sum() / out)
    assert found.offspring_at_places.value == pytest.approx((above[0] - above[2]).sum() / out)
    assert found.lost_share.value == pytest.approx(lost[0].sum() / sums.events_next.sum())
    assert found.new_share.value == pytest.approx(new[0].sum() / sums.events_next.sum())
    excess = sums.pairs - sums.expected
    before = (sums.pairs_before - sums.expected_before).sum()
    assert found.causal_share.value == pytest.approx((excess[1].sum() - excess[0].sum()) / before)
    for layer, ratio in enumerate(found.by_layer):
        own = (fewer[0] - fewer[1])[:, layer].sum() / sums.out[0][:, layer].sum()
        assert ratio.value == pytest.approx(own)
    assert (found.events_out, found.windows, found.available) == (out, N, True)


def test_every_window_counts_by_its_events_and_layers_pool():
    sums = made()
    both = KnockOutSums.concatenate([sums, sums])
    assert summary(both, 2 * N).sigma_depth.value == summary(sums).sigma_depth.value
    stacked = KnockOutSums(**{name: np.stack([a, a + 1]) for name, a in sums.arrays().items()})
    assert np.array_equal(stacked[0].out, sums.out)
    again = KnockOutSums.from_arrays(dict(sums.arrays(), other=np.zeros(3)))
    assert np.array_equal(again.pairs, sums.pairs)


@pytest.mark.parametrize("n", [8, 16, 48])
def test_expanded_percentiles_have_the_width_of_students_interval(n):
    values = np.random.default_rng(n).normal(size=n)
    resampled = multinomial_weights(n, 20_000, 1) @ values / n
    tail = (1 - expanded_level(n)) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    half = student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
    assert (high - low) / 2 == pytest.approx(half, rel=0.06)


def test_the_p_of_random_signs_is_that_of_all_signs():
    differences = np.array([3, -1, 4, 1, -2, 6, 2, 2, -3, 5])
    sums = [np.dot(signs, differences) for signs in product((1, -1), repeat=len(differences))]
    exact = np.mean(np.array(sums) >= differences.sum())
    found = sign_flip_p(differences, np.arange(len(differences)), seed=3)
    assert abs(found - exact) < 4 * np.sqrt(exact / 2000)
    assert sign_flip_p(np.zeros(5, dtype=np.int64), np.arange(5), 0) == 1.0
    assert sign_flip_p(np.full(40, 2), np.arange(40), 0) == 1 / 2000


def test_p_values_are_uniform_where_nothing_is_passed_on():
    rng = np.random.default_rng(0)
    p = [sign_flip_p(rng.integers(-9, 10, size=16), np.arange(16), seed) for seed in range(400)]
    assert abs(np.mean(np.array(p) <= 0.05) - 0.05) < 0.033


def test_nothing_put_out_and_nothing_to_share_are_not_available():
    nothing = summary(KnockOutSums.zeros((N, BELOW)))
    assert not nothing.available
    assert nothing.reason == nothing.sigma_depth.reason != ""
    assert np.isnan([nothing.sigma_depth.value, nothing.p_value, nothing.causal_share.value]).all()
    assert "no event that could be lost" in nothing.lost_share.reason
    assert nothing.causal_share.reason == nothing.reason
    sums = made()
    sums.pairs_before[...] = 0
    assert "no excess" in summary(sums).causal_share.reason


def test_a_layer_without_events_and_one_window_and_no_effect():
    sums = made()
    sums.out[:, :, 1] = 0
    layer = summary(sums).by_layer[1]
    assert np.isnan(layer.value)
    assert "no event was put out" in layer.reason
    single = summary(made(n=1), n=1)
    assert np.isfinite(single.sigma_depth.value)
    assert np.isnan(single.sigma_depth.low)
    assert single.sigma_depth.reason == "one window: no interval"
    for name in ("lost_next", "new_next", "lost_above", "new_above"):
        getattr(sums, name)[...] = 0
    without = summary(sums)
    assert (without.sigma_depth.value, without.sigma_depth.low, without.sigma_depth.high) == (0.0, 0.0, 0.0)
    assert without.p_value == 1.0


def test_arrays_that_do_not_fit_are_refused():
    sums = made()
    with pytest.raises(DataError, match="one shape"):
        KnockOutSums(**dict(sums.arrays(), events_next=sums.out))
    with pytest.raises(DataError, match="do not fit"):
        summary(sums, n=N + 1)
    with pytest.raises(DataError, match="nothing to join"):
        KnockOutSums.concatenate([])
