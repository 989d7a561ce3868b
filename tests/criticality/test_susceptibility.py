import numpy as np
import pytest

from critnb.criticality import chi, multinomial_weights
from critnb.criticality.susceptibility import chi_intensive
from critnb.criticality.verdicts import chi_peak


@pytest.mark.parametrize("shape", [(12,), (3, 12)])
def test_chi_is_variance_over_mean(shape):
    y = np.random.default_rng(1).poisson(7, shape)
    np.testing.assert_allclose(chi(y), np.var(y, axis=-1) / (np.mean(y, axis=-1) + 1e-8), rtol=1e-14)


def test_chi_of_poisson_counts_is_one():
    assert chi(np.random.default_rng(2).poisson(30, 100_000)) == pytest.approx(1.0, abs=4 * np.sqrt(2 / 100_000))


def test_weighted_chi_is_that_of_the_repeated_sequences():
    y = np.random.default_rng(1).poisson(7, (3, 12)) + 10**9
    weights = multinomial_weights(12, 6, seed=1)
    for resampled, w in zip(chi(y, weights), weights, strict=True):
        np.testing.assert_allclose(resampled, chi(np.repeat(y, w, axis=1)), rtol=1e-6)


def test_chi_without_events_is_zero():
    assert chi(np.zeros(5, dtype=np.int64)) == 0
    assert chi(np.zeros(5, dtype=np.int64), np.ones((2, 5), dtype=np.int64)).tolist() == [0, 0]


def test_intensive_chi_of_independent_sites_is_minus_one_over_their_number():
    sites, p, n = 40, 0.2, 200_000
    y = np.random.default_rng(6).binomial(sites, p, n)
    mean = sites * p
    # (p (1 - p) sites / mean - 1) / mean, and the variance of a variance of n values
    assert chi_intensive(y) == pytest.approx(-1 / sites, abs=4 * np.sqrt(2 / n) / mean)


@pytest.mark.parametrize("mean", [20.0, 80.0, 320.0])
def test_intensive_chi_of_a_shared_factor_is_its_variance_whatever_the_rate(mean):
    v, n = 0.1, 200_000
    rng = np.random.default_rng(7)
    y = rng.poisson(mean * rng.gamma(1 / v, v, n))
    assert chi_intensive(y) == pytest.approx(v, rel=0.05)
    assert chi(y) == pytest.approx(1 + v * mean, rel=0.05)  # which grows with it


def test_weighted_intensive_chi_is_that_of_the_repeated_sequences():
    y = np.random.default_rng(1).poisson(7, (3, 12))
    weights = multinomial_weights(12, 6, seed=1)
    for resampled, w in zip(chi_intensive(y, weights), weights, strict=True):
        np.testing.assert_allclose(resampled, chi_intensive(np.repeat(y, w, axis=1)), rtol=1e-6)


def test_intensive_chi_without_events_is_not_available():
    assert np.isnan(chi_intensive(np.zeros(5, dtype=np.int64)))
    assert np.isnan(chi_intensive(np.zeros(5, dtype=np.int64), np.ones((2, 5), dtype=np.int64))).all()


def test_the_peak_is_the_gain_of_the_largest_chi():
    y = np.random.default_rng(3).poisson(20, (3, 40))
    y[1] = np.random.default_rng(4).negative_binomial(5, 0.2, 40)
    weights = multinomial_weights(40, 200, seed=1)
    found = chi_peak([0.8, 1.0, 1.3], y, weights)
    assert found.gain == 1.0
    assert not found.at_grid_edge
    picks = [[0.8, 1.0, 1.3][int(np.argmax([chi(np.repeat(row, w)) for row in y]))] for w in weights]
    assert (found.ci_low, found.ci_high) == tuple(np.percentile(picks, [2.5, 97.5]))


@pytest.mark.parametrize(("largest", "edge"), [(0, True), (1, False), (2, True)])
def test_a_peak_at_an_end_of_the_grid_is_marked(largest, edge):
    y = np.tile(np.arange(10), (3, 1))
    y[largest] *= 5
    assert chi_peak([0.8, 1.0, 1.3], y, np.ones((4, 10), dtype=np.int64)).at_grid_edge == edge


def test_a_peak_that_could_be_anywhere_spans_the_grid():
    rng = np.random.default_rng(5)
    same = rng.poisson(20, 60)
    y = np.stack([rng.permutation(same) for _ in range(3)])
    gains = [0.9, 1.0, 1.1]
    assert chi_peak(gains, y, multinomial_weights(60, 300, seed=1)).spans_grid
    y[1] = rng.negative_binomial(2, 0.1, 60)
    assert not chi_peak(gains, y, multinomial_weights(60, 300, seed=1)).spans_grid


@pytest.mark.parametrize(
    "y", [np.zeros((3, 6), dtype=np.int64), np.tile(np.arange(6), (3, 1))], ids=["silent", "alike"]
)
def test_where_all_gains_have_the_same_chi_none_is_the_largest(y):
    found = chi_peak([0.8, 1.0, 1.3], y, multinomial_weights(6, 50, seed=1))
    assert (found.ci_low, found.ci_high, found.spans_grid) == (0.8, 1.3, True)
