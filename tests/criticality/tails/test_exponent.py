import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import zeta

from critnb.criticality.synthetic.samples import discrete_power_law
from critnb.criticality.tails import Histogram, fit_tail, mle_exponent


def mean_log(alpha, xmin, xmax):
    log = np.log(np.arange(xmin, xmax + 1))
    weight = np.exp(-alpha * (log - log[0 if alpha > 0 else -1]))
    return weight @ log / weight.sum()


@given(st.floats(-20, 60), st.integers(1, 400), st.integers(1, 3000))
def test_the_exact_mean_gives_the_exponent_back(alpha, xmin, length):
    xmax = xmin + length
    if length >= 64 and alpha < -xmax / 4:
        alpha = -xmax / 4
    mean = mean_log(alpha, xmin, xmax)
    lattice = np.log(xmin + 1) - np.log(xmin)
    if not np.log(xmin) + 1e-9 * lattice < mean < np.log(xmax) - 1e-9 * lattice:
        return  # all weight on one end: the mean has no digits left that tell the exponent
    found = mle_exponent(mean, xmin=xmin, xmax=xmax)
    # the mean's own rounding, over its slope in alpha
    log = np.log(np.arange(xmin, xmax + 1))
    weight = np.exp(-alpha * (log - log[0 if alpha > 0 else -1]))
    variance = weight @ (log - mean) ** 2 / weight.sum()
    assert found == pytest.approx(alpha, abs=1e-9 + 1e-14 * max(1, mean) / variance)


@pytest.mark.parametrize("alpha", [1.05, 1.5, 2.0, 2.5, 6.0])
@pytest.mark.parametrize("xmin", [1, 12, 300])
def test_without_an_upper_end_the_exponent_solves_the_zeta_equation(alpha, xmin):
    step = 1e-6
    mean = -(np.log(zeta(alpha + step, xmin)) - np.log(zeta(alpha - step, xmin))) / (2 * step)
    assert mle_exponent(mean, xmin=xmin, xmax=None) == pytest.approx(alpha, rel=1e-6)


def test_the_likelihood_is_highest_there():
    sample = discrete_power_law(1.8, 500, xmin=2, xmax=300, seed=1)
    k = np.arange(2, 301)
    grid = np.linspace(1.6, 2.0, 4001)
    likelihood = -grid * np.log(sample).sum() - len(sample) * np.log((k[:, None] ** -grid).sum(axis=0))
    assert mle_exponent(np.log(sample).mean(), xmin=2, xmax=300) == pytest.approx(grid[likelihood.argmax()], abs=1e-4)


def test_bounded_means_bounded():
    # Trap: an unbounded fit of a sample that the lattice bounds. 1.5 on 1..100, in expectation.
    mean = mean_log(1.5, 1, 100)
    assert mle_exponent(mean, xmin=1, xmax=100) == pytest.approx(1.5, abs=1e-9)
    assert mle_exponent(mean, xmin=1) == pytest.approx(1.64, abs=5e-3)


def test_integers_are_not_continuous():
    # Trap: 1 + 1 / mean ln(x / xmin) on integers from 1 on says 3.3 where the truth is 2.5.
    sample = discrete_power_law(2.5, 50_000, seed=2)
    continuous = 1 + 1 / np.log(sample).mean()
    assert continuous > 3.2
    fit = fit_tail(Histogram.of(sample), xmin=1, xmax=None)
    assert fit.alpha_powerlaw == pytest.approx(2.5, abs=4 * fit.alpha_se)


def test_arguments_broadcast():
    means = np.array([[0.5], [1.0]])
    xmin = np.array([1, 2, 3])
    found = mle_exponent(means + np.log(xmin), xmin=xmin, xmax=np.array([50, 60, 70]))
    assert found.shape == (2, 3)
    for at in np.ndindex(2, 3):
        one = mle_exponent(means[at[0], 0] + np.log(xmin[at[1]]), xmin=xmin[at[1]], xmax=[50, 60, 70][at[1]])
        assert found[at] == one
    assert mle_exponent(np.zeros((0,)), xmin=1, xmax=5).shape == (0,)


@pytest.mark.parametrize(
    ("mean", "xmin", "xmax"),
    [
        (np.log(3), 3, 50),  # all at xmin
        (np.log(50), 3, 50),  # all at xmax
        (np.log(2), 3, 50),
        (np.log(51), 3, 50),
        (np.log(3), 3, 3),
        (np.log(3), 0, 50),
        (np.log(3), 5, 4),
        (np.log(3), 1, 0),
        (np.nan, 3, 50),
        (np.inf, 3, None),
        (np.log(3), 3, None),
        (np.log(999.9), 1, 1000),  # nearly all at xmax of a long support
    ],
)
def test_what_is_not_defined_is_nan(mean, xmin, xmax):
    assert np.isnan(mle_exponent(mean, xmin=xmin, xmax=xmax))


def test_nearly_all_values_at_one_end_of_a_short_support():
    for share in (1e-3, 1e-6, 1e-9):
        low, high = np.log(10), np.log(11)
        steep = mle_exponent((1 - share) * low + share * high, xmin=10, xmax=11)
        assert steep == pytest.approx(np.log(1 / share - 1) / (high - low), rel=1e-6)
        rising = mle_exponent(share * low + (1 - share) * high, xmin=10, xmax=11)
        assert rising == pytest.approx(-steep, rel=1e-6)


def test_one_root_at_a_time_by_bisection():
    xmin, xmax = 4, 900
    for mean in (1.5, 2.2, 4.0, 6.0, 6.75):
        twin = brentq(lambda alpha, mean=mean: mean_log(alpha, xmin, xmax) - mean, -400, 80, xtol=1e-13)
        assert mle_exponent(mean, xmin=xmin, xmax=xmax) == pytest.approx(twin, abs=1e-9, rel=1e-9)


def test_a_support_between_integers_has_no_exponent():
    found = mle_exponent(np.log(8.0), xmin=[5, 5.5, 5], xmax=[100, 100, 100.5])
    assert np.isfinite(found).tolist() == [True, False, False]
    assert np.isnan(mle_exponent(np.log(8.0), xmin=5.5))
