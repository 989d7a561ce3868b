import numpy as np
import pytest

from critnb.criticality import chi, multinomial_weights


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
