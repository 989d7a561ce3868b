import numpy as np
import pytest
from scipy import stats
from scipy.special import zeta

from critnb.criticality.synthetic.samples import (
    discrete_exponential,
    discrete_power_law,
    power_law_with_cutoff,
    rounded_lognormal,
)
from critnb.errors import DataError

N = 100_000


def assert_drawn_from(sample, first, shares):
    """Every integer from ``first`` on, and the rest, are as often as they should be: 4.5 standard errors, and 3."""
    counts = np.bincount(sample - first, minlength=len(shares))
    found = np.append(counts[: len(shares)], counts[len(shares) :].sum())
    expected = N * np.append(shares, max(0.0, 1 - np.sum(shares)))
    assert np.all(np.abs(found - expected) <= 4.5 * np.sqrt(expected) + 3 * (expected > 1e-3))


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0, 1.5, 3.0])
@pytest.mark.parametrize(("xmin", "xmax"), [(1, 60), (7, 90), (5, 5)])
def test_bounded_power_law(alpha, xmin, xmax):
    sample = discrete_power_law(alpha, N, xmin=xmin, xmax=xmax, seed=1)
    weight = np.arange(xmin, xmax + 1.0) ** -alpha
    assert_drawn_from(sample, xmin, weight / weight.sum())
    assert sample.dtype == np.int64
    assert len(sample) == N


@pytest.mark.parametrize("alpha", [1.5, 2.5])
@pytest.mark.parametrize("xmin", [1, 12])
def test_power_law_without_an_upper_end(alpha, xmin):
    sample = discrete_power_law(alpha, N, xmin=xmin, seed=2)
    assert_drawn_from(np.minimum(sample, 10**6), xmin, np.arange(xmin, xmin + 60.0) ** -alpha / zeta(alpha, xmin))
    for far in (1_000, 100_000):
        share = zeta(alpha, far) / zeta(alpha, xmin)
        assert np.mean(sample >= far) == pytest.approx(share, abs=4 * np.sqrt(share / N) + 1e-12)


@pytest.mark.parametrize(("alpha", "xmax"), [(1.5, 80), (1.5, None), (0.0, None), (-2.0, None)])
def test_power_law_with_cutoff(alpha, xmax):
    k = np.arange(3, 2_000.0 if xmax is None else xmax + 1.0)
    weight = k**-alpha * np.exp(-0.05 * k)
    sample = power_law_with_cutoff(alpha, 0.05, N, xmin=3, xmax=xmax, seed=3)
    assert_drawn_from(sample, 3, (weight / weight.sum())[:78])


@pytest.mark.parametrize("xmax", [40, None])
def test_exponential(xmax):
    k = np.arange(2, 1_000.0 if xmax is None else xmax + 1.0)
    weight = np.exp(-0.1 * k)
    assert_drawn_from(discrete_exponential(0.1, N, xmin=2, xmax=xmax, seed=4), 2, (weight / weight.sum())[:39])


@pytest.mark.parametrize(
    ("mu", "sigma", "xmin", "xmax"), [(2, 1, 1, None), (2, 1, 4, 60), (-40, 6, 1, None), (-8, 1, 5, 50)]
)
def test_rounded_lognormal(mu, sigma, xmin, xmax):
    normal = stats.norm(mu, sigma)
    k = np.arange(xmin, xmin + 40)
    whole = normal.sf(np.log(xmin - 0.5)) - (0 if xmax is None else normal.sf(np.log(xmax + 0.5)))
    shares = (normal.sf(np.log(k - 0.5)) - normal.sf(np.log(k + 0.5))) / whole
    sample = rounded_lognormal(mu, sigma, N, xmin=xmin, xmax=xmax, seed=5)
    assert_drawn_from(np.minimum(sample, 10**6), xmin, shares)


def test_seeds_tell_samples_apart():
    one, same, other = (discrete_power_law(2.0, 100, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len(discrete_power_law(2.0, 0, seed=1)) == 0


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: discrete_power_law(1.0, 5, seed=1), "above 1 without xmax"),
        (lambda: discrete_power_law(-0.5, 5, xmax=9, seed=1), "at least 0"),
        (lambda: discrete_power_law(2.0, 5, xmin=0, seed=1), "support 0..None"),
        (lambda: discrete_exponential(0.1, 5, xmin=9, xmax=8, seed=1), "support 9..8"),
        (lambda: discrete_exponential(0.0, 5, xmax=8, seed=1), "rate above 0"),
        (lambda: power_law_with_cutoff(1.5, 0.0, 5, xmax=9, seed=1), "rate above 0"),
        (lambda: power_law_with_cutoff(1.5, 1e-9, 5, seed=1), "too far out"),
        (lambda: rounded_lognormal(1.0, 0.0, 5, seed=1), "sigma above 0"),
        (lambda: rounded_lognormal(0.0, 0.1, 5, xmin=10**6, seed=1), "no values from 1000000 on"),
    ],
)
def test_laws_that_cannot_be_are_errors(draw, words):
    with pytest.raises(DataError, match=words):
        draw()
