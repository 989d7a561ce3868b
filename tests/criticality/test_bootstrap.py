import numpy as np
import pytest
from scipy import stats

from critnb.criticality import branching_sums, multinomial_weights, percentile_interval
from critnb.criticality.synthetic import bernoulli


def test_weights_are_multinomial():
    weights = multinomial_weights(20, 5_000, seed=1337)
    assert weights.shape == (5_000, 20)
    assert np.all(weights.sum(axis=1) == 20)
    expected = stats.binom.pmf(np.arange(5), 20, 1 / 20) * weights.size
    found = [np.count_nonzero(weights == k) for k in range(5)]
    assert np.all(np.abs(found - expected) < 5 * np.sqrt(expected))
    # two cells of one draw: covariance -n p^2
    assert np.cov(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(-20 / 400, abs=0.06)


def test_weights_of_fewer_replicates_are_the_first_of_more():
    more = multinomial_weights(7, 50, seed=3)
    assert np.array_equal(multinomial_weights(7, 20, seed=3), more[:20])
    assert not np.array_equal(multinomial_weights(7, 50, seed=4), more)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_interval_is_numpys_percentile(level):
    values = np.random.default_rng(0).normal(size=(137, 2, 3))
    interval = percentile_interval(values, level)
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)], axis=0)
    np.testing.assert_allclose(interval.low, low, rtol=1e-13)
    np.testing.assert_allclose(interval.high, high, rtol=1e-13)
    assert interval.dropped.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_nan_replicates_are_dropped_and_counted():
    values = np.random.default_rng(0).normal(size=(100, 3))
    values[:8, 1] = np.nan
    values[:11, 2] = np.nan
    interval = percentile_interval(values)
    assert interval.dropped.tolist() == [0, 8, 11]
    assert interval.low[1] == pytest.approx(np.percentile(values[8:, 1], 2.5), rel=1e-13)
    assert np.isnan(interval.low).tolist() == np.isnan(interval.high).tolist() == [False, False, True]


def test_no_replicate_at_all_gives_nan():
    interval = percentile_interval(np.full((50,), np.nan))
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)
    assert interval.dropped == 50


def test_interval_covers_the_truth():
    x = bernoulli(0.2, (300, 48, 4, 32), seed=5)
    resampled = branching_sums(x).weighted(multinomial_weights(48, 500, seed=1337)).b_time  # [R, 300]
    interval = percentile_interval(resampled)
    covered = np.mean((interval.low <= 0.2) & (interval.high >= 0.2))
    # 95 % nominal, a point less at 48 sequences; 300 lattices have a standard error of 1.3 %
    assert 0.90 <= covered <= 0.98
