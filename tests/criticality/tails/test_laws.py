"""Every law against its definition: sums over all integers, normal probabilities, and a general optimiser."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize, minimize_scalar
from scipy.special import zeta

from critnb.criticality.synthetic.samples import (
    discrete_exponential,
    discrete_power_law,
    power_law_with_cutoff,
    rounded_lognormal,
)
from critnb.criticality.tails import Histogram, cutoff, lognormal
from critnb.criticality.tails.cutoff import HORIZON, fit_cutoff, summation_nodes
from critnb.criticality.tails.laws import fit_exponential, fit_power_law
from critnb.criticality.tails.lognormal import fit_lognormal

XMIN, XMAX = 3, 400
SAMPLES = {
    "power law": discrete_power_law(1.7, 3_000, xmin=XMIN, xmax=XMAX, seed=1),
    "cutoff": power_law_with_cutoff(1.2, 0.02, 3_000, xmin=XMIN, xmax=XMAX, seed=2),
    "exponential": discrete_exponential(0.04, 3_000, xmin=XMIN, xmax=XMAX, seed=3),
    "lognormal": rounded_lognormal(3.0, 0.8, 3_000, xmin=XMIN, xmax=XMAX, seed=4),
    "even": np.random.default_rng(5).integers(XMIN, XMAX + 1, 3_000),
    "rising": XMAX + XMIN - discrete_exponential(0.02, 3_000, xmin=XMIN, xmax=XMAX, seed=6),
}
every_sample = pytest.mark.parametrize("name", SAMPLES)
either_bound = pytest.mark.parametrize("xmax", [XMAX, None])


def fitted(law, name, xmax=XMAX):
    histogram = Histogram.of(SAMPLES[name])
    if law is fit_power_law:
        return histogram, law(histogram, XMIN, xmax)[0]
    if law is fit_cutoff:
        return histogram, law(histogram, XMIN, xmax, fit_power_law(histogram, XMIN, xmax)[0])
    return histogram, law(histogram, XMIN, xmax)


def log_shares(log_weight):
    """ln of weights over XMIN.. normalised by their sum."""
    top = log_weight.max()
    return log_weight - top - np.log(np.exp(log_weight - top).sum())


def log_pmf(law, parameters, xmax):
    """ln P over XMIN..xmax by the definition; without xmax over so many integers that the rest is nothing."""
    k = np.arange(XMIN, (60_000 if xmax is None else xmax) + 1, dtype=float)
    if law is fit_power_law:
        log = -parameters[0] * np.log(k)
        return log_shares(log) if xmax else log - np.log(zeta(parameters[0], XMIN))
    if law is fit_exponential:
        return log_shares(-parameters[0] * k)
    if law is fit_cutoff:
        return log_shares(-parameters[0] * np.log(k) - parameters[1] * k)
    ends = np.array([XMIN - 0.5, np.inf if xmax is None else xmax + 0.5])
    whole = log_normal_shares(ends[:1], ends[1:], *parameters)
    return log_normal_shares(k - 0.5, k + 0.5, *parameters) - whole


def log_normal_shares(low, high, mu, sigma):
    """ln of normal probabilities between ln low and ln high, taken from the nearer tail."""
    low, high = (np.log(low) - mu) / sigma, (np.log(high) - mu) / sigma
    low, high = np.where(low > 0, -high, low), np.where(low > 0, -low, high)
    below, above = stats.norm.logcdf(low), stats.norm.logcdf(high)
    return above + np.log1p(-np.exp(np.where(np.isfinite(below), below - above, -np.inf)))


@every_sample
@either_bound
@pytest.mark.parametrize("law", [fit_power_law, fit_exponential, fit_lognormal, fit_cutoff])
def test_probabilities_are_those_of_the_definition(law, name, xmax):
    histogram, found = fitted(law, name, xmax)
    if law is fit_cutoff and xmax is None and 0 < found.parameters[1] < 1e-3:
        return  # the sum by definition would need more integers
    if law is fit_cutoff and found.parameters[1] == 0:
        law = fit_power_law
    if law is fit_lognormal and found.parameters[1] > 100:
        return  # on the ridge differences of normal probabilities have no digits: tested below
    exact = log_pmf(law, found.parameters, xmax)[histogram.values - XMIN]
    np.testing.assert_allclose(found.log_p, exact, rtol=1e-9, atol=1e-9)


@every_sample
@pytest.mark.parametrize("law", [fit_exponential, fit_lognormal, fit_cutoff])
def test_no_optimiser_finds_a_higher_likelihood(law, name):
    histogram, found = fitted(law, name)
    place = histogram.values - XMIN

    def loss(at):
        return -(histogram.counts @ log_pmf(law, at, XMAX)[place]) / histogram.n

    if law is fit_exponential:
        best = minimize_scalar(lambda rate: loss((rate,)), bounds=(-0.2, 0.2), method="bounded").fun
    elif law is fit_cutoff:
        bounds = [(-5, 5), (0, 1)]
        best = min(minimize(loss, start, bounds=bounds).fun for start in ([1.0, 0.01], [0.0, 0.05]))
    else:
        # the general optimiser stays where normal probabilities have digits
        options = {"bounds": [(-60, 60), (-3, 2.5)], "method": "Nelder-Mead", "options": {"fatol": 1e-10}}
        best = min(
            minimize(lambda at: loss((at[0], np.exp(at[1]))), start, **options).fun for start in ([3, 0], [0, 1])
        )
    assert -found.log_likelihood(histogram) / histogram.n <= best + 1e-9


@pytest.mark.parametrize(
    ("law", "name", "truth"),
    [
        (fit_exponential, "exponential", (0.04,)),
        (fit_lognormal, "lognormal", (3.0, 0.8)),
        (fit_cutoff, "cutoff", (1.2, 0.02)),
    ],
)
def test_parameters_are_found_again(law, name, truth):
    _, found = fitted(law, name)
    assert found.parameters == pytest.approx(truth, rel=0.08)


def test_a_rising_sample_has_a_negative_rate():
    _, found = fitted(fit_exponential, "rising")
    assert found.parameters[0] == pytest.approx(-0.02, rel=0.1)
    _, even = fitted(fit_exponential, "even")
    assert abs(even.parameters[0]) < 1e-3


def test_a_sample_at_the_middle_has_rate_zero():
    found = fit_exponential(Histogram.of(np.array([3, 4, 5])), 3, 5)
    assert found.parameters == (0.0,)
    np.testing.assert_allclose(found.log_p, np.log(1 / 3))


def test_a_sample_almost_at_the_middle_keeps_the_digits_of_its_rate():
    # On three integers with shares (1 - d) / 2, 0, (1 + d) / 2 the mean is 1 + d above the first; the closed form of
    # the rate's slope there, -(3^2 - 1) / 12, gives lambda = -1.5 d.
    sample = Histogram(np.array([1, 3]), np.array([500_001, 499_999]))
    assert fit_exponential(sample, 1, 3).parameters[0] == pytest.approx(1.5 * 2e-6, rel=1e-6)


def test_the_cutoff_is_never_worse_than_the_power_law(monkeypatch):
    histogram = Histogram.of(SAMPLES["cutoff"])
    power_law, _ = fit_power_law(histogram, XMIN, XMAX)
    monkeypatch.setattr(cutoff, "maximise", lambda evaluate, start, bounds: np.array([5.0, 1.0]))
    assert fit_cutoff(histogram, XMIN, XMAX, power_law).parameters == (power_law.parameters[0], 0.0)


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.5])
def test_a_lognormal_narrower_than_a_bin(sigma):
    mu = np.log(3.4)
    sample = Histogram.of(rounded_lognormal(mu, sigma, 5_000, seed=7))
    found = fit_lognormal(sample, 1, 50)
    exact = log_normal_shares(sample.values - 0.5, sample.values + 0.5, *found.parameters)
    exact -= log_normal_shares(np.array([0.5]), np.array([50.5]), *found.parameters)
    np.testing.assert_allclose(found.log_p, exact, rtol=1e-9)
    assert found.parameters == pytest.approx((mu, sigma), rel=0.1)


def test_newton_s_method_needs_few_steps(monkeypatch):
    # With the variances within the bins left out of the Hessian, a hundred.
    calls = []
    likelihood = lognormal._likelihood
    monkeypatch.setattr(lognormal, "_likelihood", lambda *at: calls.append(at) or likelihood(*at))
    fit_lognormal(Histogram.of(discrete_exponential(2.0, 5_000, xmax=1_000, seed=1)), 1, 1_000)
    assert len(calls) < 20


def test_the_cutoff_vanishes_where_the_likelihood_wants_it_negative():
    # More weight at the upper end than the power law has.
    sample = np.concatenate([SAMPLES["power law"], np.repeat([XMAX], 40)])
    histogram = Histogram.of(sample)
    power_law, _ = fit_power_law(histogram, XMIN, XMAX)
    found = fit_cutoff(histogram, XMIN, XMAX, power_law)
    assert found.parameters == (power_law.parameters[0], 0.0)
    assert np.array_equal(found.log_p, power_law.log_p)


def test_the_lognormal_s_ridge_is_a_rounded_power_law():
    # A lognormal of endless sigma is a power law integrated over x +- 1/2; here the fit runs there.
    sample = discrete_power_law(0.6, 5_000, xmin=50, xmax=5_000, seed=3)
    sample = np.concatenate([sample, np.repeat([50, 5_000], 60)])
    histogram = Histogram.of(sample)
    found = fit_lognormal(histogram, 50, 5_000)
    assert found.parameters[1] > 1e4
    mean = histogram.counts @ np.log(histogram.values) / histogram.n

    def log_rounded(alpha):
        ends = np.arange(49.5, 5_001.0) ** (1 - alpha) / (1 - alpha)
        return (np.log(np.diff(ends)) - np.log(ends[-1] - ends[0]))[histogram.values - 50]

    best = minimize_scalar(
        lambda alpha: -(histogram.counts @ log_rounded(alpha)), bounds=(0.01, 0.99), method="bounded"
    )
    assert found.log_likelihood(histogram) == pytest.approx(-best.fun, abs=1e-3)
    power_law, _ = fit_power_law(histogram, 50, 5_000)
    # from 50 on, rounding hardly matters
    assert found.log_likelihood(histogram) == pytest.approx(power_law.log_likelihood(histogram), abs=0.02)
    assert mean == pytest.approx(np.log(sample).mean())


@pytest.mark.parametrize(
    "values", [([1, 2], [60, 40]), ([1000, 1001], [99, 1]), ([5, 6], [50, 50]), ([40, 90_000], [70, 30])]
)
@pytest.mark.parametrize("xmax", [None, 100_000])
def test_two_values_leave_every_law_finite(values, xmax):
    histogram = Histogram(*(np.array(part, dtype=np.int64) for part in values))
    xmin = int(histogram.values[0])
    power_law, _ = fit_power_law(histogram, xmin, xmax)
    laws = [power_law, fit_exponential(histogram, xmin, xmax), fit_lognormal(histogram, xmin, xmax)]
    laws.append(fit_cutoff(histogram, xmin, xmax, power_law))
    entropy = histogram.counts @ np.log(histogram.counts / histogram.n)
    for law in laws:
        assert np.isfinite(law.log_p).all()
        assert law.log_likelihood(histogram) <= entropy + 1e-6  # no law beats the frequencies themselves
    assert laws[3].log_likelihood(histogram) >= power_law.log_likelihood(histogram)


def test_power_law_standard_error_is_the_fisher_information():
    sample = Histogram.of(SAMPLES["power law"])
    found, error = fit_power_law(sample, XMIN, XMAX)
    k = np.log(np.arange(XMIN, XMAX + 1))
    share = np.exp(log_pmf(fit_power_law, found.parameters, XMAX))
    variance = share @ k**2 - (share @ k) ** 2
    assert error == pytest.approx(1 / np.sqrt(sample.n * variance), rel=1e-9)


@pytest.mark.parametrize(("xmin", "xmax"), [(1, 50), (1, 2_048), (1, 2_049), (7, 30_000), (5_000, 200_000)])
@pytest.mark.parametrize("alpha", [-2.0, 0.0, 1.0, 2.5, 20.0])
@pytest.mark.parametrize("rate", [0.0, 1e-4, 0.02, 1.0])
def test_nodes_sum_powers_with_and_without_a_cutoff(xmin, xmax, alpha, rate):
    nodes = summation_nodes(xmin, xmax)
    k = np.arange(xmin, xmax + 1, dtype=float)
    log, log_nodes = (-alpha * np.log(at) - rate * at for at in (k, nodes.points))
    top = log.max()
    assert nodes.weights @ np.exp(log_nodes - top) == pytest.approx(np.exp(log - top).sum(), rel=1e-12)
    assert nodes.weights.sum() == pytest.approx(xmax - xmin + 1, rel=1e-13)
    assert len(nodes.points) < 2_050


@pytest.mark.parametrize("rate", [1e-12, 1e-6, 1e-3])
def test_nodes_without_an_upper_end(rate):
    nodes = summation_nodes(1, None)
    assert nodes.points[-1] < HORIZON
    # sum of e^(-rate k) from 1 on
    assert nodes.weights @ np.exp(-rate * nodes.points) == pytest.approx(1 / np.expm1(rate), rel=1e-10)
    # Li_1(z) = -ln(1 - z): the cutoff at exponent one
    exact = -np.log(-np.expm1(-rate))
    assert nodes.weights @ (np.exp(-rate * nodes.points) / nodes.points) == pytest.approx(exact, rel=1e-11)


def test_a_peak_too_narrow_for_the_nodes_is_not_available():
    sample = Histogram.of(np.random.default_rng(1).normal(50_000, 20, 3_000).round().astype(np.int64))
    power_law, _ = fit_power_law(sample, 1, 10**6)
    found = fit_cutoff(sample, 1, 10**6, power_law)
    assert np.isnan([*found.parameters, found.log_likelihood(sample)]).all()
