"""Sums of powers against the plain sum over every integer and against Hurwitz' zeta function."""

import numpy as np
import pytest
from scipy.special import digamma, zeta

from critnb.criticality.tails.powersums import DIRECT, log_moments, survival

SUPPORTS = [
    (1, 1),
    (1, 2),
    (1, 64),
    (1, 65),
    (1, 1000),
    (5, 70),
    (31, 200),
    (32, 97),
    (32, 95),
    (40, 30_000),
    (2000, 9000),
]
EXPONENTS = [-8, -1, 0, 0.4, 1 - 1e-9, 1, 1 + 1e-12, 1.5, 2, 3.9, 4.1, 12, 40, 300, 3000]


def plain(alpha, xmin, xmax):
    """ln of the sum, mean and variance of ln k, survival and mass at every integer, by summing."""
    k = np.arange(xmin, xmax + 1, dtype=float)
    log = np.log(k)
    top = (-alpha * log).max()
    weight = np.exp(-alpha * log - top)
    share = weight / weight.sum()
    mean = share @ log
    return top + np.log(weight.sum()), mean, share @ (log - mean) ** 2, np.cumsum(share[::-1])[::-1], share


def column(*numbers):
    return np.array(numbers, dtype=float)


@pytest.mark.parametrize("support", SUPPORTS)
def test_moments_and_survival_equal_the_plain_sum(support):
    xmin, xmax = support
    alphas = column(*EXPONENTS)
    low, high = np.full_like(alphas, xmin), np.full_like(alphas, xmax)
    found = log_moments(alphas, low, high)
    law = survival(alphas, low, xmax, np.arange(xmin, xmax + 1, dtype=float)[None])
    for i, alpha in enumerate(alphas):
        log_sum, mean, variance, reach, mass = plain(alpha, xmin, xmax)
        assert found.log_sum[i] == pytest.approx(log_sum, rel=1e-13, abs=1e-12), alpha
        assert found.mean[i] == pytest.approx(mean, rel=1e-12, abs=1e-13), alpha
        assert found.variance[i] == pytest.approx(variance, rel=1e-9, abs=1e-13), alpha
        np.testing.assert_allclose(law.reach[i], reach, rtol=0, atol=2e-12)
        np.testing.assert_allclose(law.mass[i], mass, rtol=0, atol=2e-12)


@pytest.mark.parametrize("xmin", [1, 7, 31, 32, 33, 1000])
def test_without_an_upper_end_the_sum_is_hurwitz_zeta(xmin):
    alphas = column(1.001, 1.5, 2, 3, 6.5, 30)
    found = log_moments(alphas, np.full_like(alphas, xmin), None)
    np.testing.assert_allclose(found.log_sum, np.log(zeta(alphas, xmin)), rtol=1e-12, atol=1e-12)
    values = np.array([[xmin, xmin + 1, xmin + 63, xmin + 64, 10 * xmin, 10**6, 10**12]], dtype=float)
    law = survival(alphas, np.full_like(alphas, xmin), None, values)
    exact = zeta(alphas[:, None], values) / zeta(alphas, xmin)[:, None]
    np.testing.assert_allclose(law.reach, exact, rtol=1e-11, atol=1e-250)


def test_a_support_of_a_hundred_million_is_no_loop():
    top, alphas = 10**8, column(1, 1.5, 2.5)
    found = log_moments(alphas, np.full_like(alphas, 3), np.full_like(alphas, top))
    harmonic = digamma(top + 1) - digamma(3)
    exact = [harmonic, *(zeta(a, 3) - zeta(a, top + 1) for a in alphas[1:])]
    np.testing.assert_allclose(found.log_sum, np.log(exact), rtol=1e-11)


@pytest.mark.parametrize("xmax", [None, 500.0])
def test_mean_and_variance_are_derivatives_of_the_sum(xmax):
    alpha, step = 1.7, 1e-4
    at = column(alpha - step, alpha, alpha + step)
    for xmin in (1.0, 50.0):
        found = log_moments(at, np.full(3, xmin), None if xmax is None else np.full(3, xmax))
        assert found.mean[1] == pytest.approx(-(found.log_sum[2] - found.log_sum[0]) / (2 * step), rel=1e-7)
        assert found.variance[1] == pytest.approx(-(found.mean[2] - found.mean[0]) / (2 * step), rel=1e-6)


def test_direct_terms_join_the_rest_without_a_seam():
    # one law is summed with direct terms, one just below the limit of steepness without
    xmin, edge = 400.0, 50.0
    at = column(edge * (1 - 1e-9), edge * (1 + 1e-9))
    found = log_moments(at, np.full(2, xmin), np.full(2, 5000.0))
    assert found.mean[1] - found.mean[0] == pytest.approx(0, abs=1e-9)
    values = xmin + np.arange(DIRECT - 3, DIRECT + 3)[None]
    law = survival(at, np.full(2, xmin), 5000.0, values)
    np.testing.assert_allclose(law.reach[1], law.reach[0], rtol=1e-7)
