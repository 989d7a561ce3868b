"""The compiled end terms against the same formula in numpy, to the bit, and against exact fractions."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from critnb.criticality.tails.end_terms import end_jet, end_values

# B_2j / (2j)!, j = 1..5
COEFFICIENTS = [Fraction(1, 12), Fraction(-1, 720), Fraction(1, 30240), Fraction(-1, 1209600), Fraction(1, 47900160)]
alphas = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-50, 50))


def jet_in_numpy(alpha, end):
    value, slope, bend = np.ones_like(end), np.zeros_like(end), np.zeros_like(end)
    square = -1 / end**2
    for index, ratio in ((7, 39.6), (5, 40.0), (3, 42.0), (1, 60.0)):
        scale = square / ratio
        factor, tilt = (alpha + index) * (alpha + index + 1) * scale, (2 * alpha + 2 * index + 1) * scale
        bend = 2 * scale * value + 2 * tilt * slope + factor * bend
        slope = tilt * value + factor * slope
        value = 1 + factor * value
    unit = 1 / (12.0 * end)
    return np.stack([unit * alpha * value, unit * (value + alpha * slope), unit * (2 * slope + alpha * bend)])


def values_in_numpy(alpha, end):
    square, value = -1 / end**2, np.ones_like(end)
    for index, ratio in ((7, 39.6), (5, 40.0), (3, 42.0), (1, 60.0)):
        value *= (alpha + index) * (alpha + index + 1) / ratio * square
        value += 1
    value *= alpha / (12.0 * end)
    return value


@given(alphas, st.integers(0, 2**32))
def test_compiled_loops_round_as_numpy_does(alpha, seed):
    end = np.random.default_rng(seed).integers(1, 10**6, (len(alpha), 7)).astype(np.float64)
    assert np.array_equal(end_jet(alpha, end[:, 0].copy()), jet_in_numpy(alpha, end[:, 0]))
    assert np.array_equal(end_values(alpha, end), values_in_numpy(alpha[:, None], end))


@given(st.integers(-20, 20), st.integers(32, 5000))
def test_end_terms_are_the_formula(alpha, end):
    """DLMF 2.10.1: the odd derivatives of x^-alpha at the end, times the Bernoulli numbers over factorials."""
    exact, rising = Fraction(0), Fraction(1)
    for j, coefficient in enumerate(COEFFICIENTS):
        rising *= alpha if j == 0 else (alpha + 2 * j - 1) * (alpha + 2 * j)
        exact += coefficient * rising / Fraction(end) ** (2 * j + 1)
    found = end_values(np.array([float(alpha)]), np.array([[float(end)]]))[0, 0]
    jet = end_jet(np.array([float(alpha)]), np.array([float(end)]))[0, 0]
    scale = max(abs(float(exact)), abs(alpha) / (12 * end))
    assert abs(found - float(exact)) <= 1e-14 * scale
    assert abs(jet - float(exact)) <= 1e-14 * scale
