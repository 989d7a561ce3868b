"""Pairs along the diagonals: the plain loop, the exact expectation over all permutations, and rasters whose answer is known."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from critnb.criticality import multinomial_weights, percentile_interval
from critnb.criticality.diagonals import Diagonal, diagonal_steps, expected_steps, step_sums
from critnb.criticality.synthetic import bernoulli

UP, DOWN = Diagonal.UP, Diagonal.DOWN
LAYERS_ON = {UP: 1, DOWN: -1}
lattices = hnp.arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 140)))


def plain_sums(x, diagonal):
    """The definition, site by site, over [N, L, T]."""
    n, layers, tokens = x.shape
    out = np.zeros((2, n), dtype=int)
    for seq, layer, token in np.argwhere(x):
        to = layer + LAYERS_ON[diagonal]
        if token < tokens - 1 and 0 <= to < layers:
            out[:, seq] += x[seq, to, token + 1], 1
    return out


@given(lattices)
@pytest.mark.parametrize("diagonal", Diagonal)
def test_sums_equal_the_plain_loop(diagonal, x):
    found = step_sums(x, diagonal)
    assert np.array_equal([found.pairs, found.sites], plain_sums(x, diagonal))


@pytest.mark.parametrize("diagonal", Diagonal)
def test_expectation_is_the_mean_over_all_permutations(diagonal):
    rows = [(1, 1, 0, 0), (1, 0, 0, 0), (1, 1, 1, 0)]
    every = np.array(list(product(*(list(permutations(row)) for row in rows))))
    found, expected = step_sums(every, diagonal), expected_steps(np.array([rows]), diagonal)
    assert len(every) == 24**3
    assert expected.pairs[0] == pytest.approx(found.pairs.mean(), rel=1e-12)
    assert expected.sites[0] == pytest.approx(found.sites.mean(), rel=1e-12)


def test_independent_sites_have_no_excess_and_their_density_as_ratio():
    counts = bernoulli(0.25, (1, 400, 8, 128), seed=3)
    for step in diagonal_steps(counts, multinomial_weights(400, 200, 1)).values():
        assert step.ratio[0] == pytest.approx(0.25, abs=0.005)
        assert step.excess_interval.low[0] < 0 < step.excess_interval.high[0]


def test_a_cascade_up_has_an_excess_along_one_diagonal_alone():
    sites = bernoulli(0.1, (1, 200, 8, 96), seed=4)
    for layer in range(1, 8):
        sites[:, :, layer, 1:] |= sites[:, :, layer - 1, :-1] & bernoulli(0.5, (1, 200, 95), seed=10 + layer)
    found = diagonal_steps(sites, multinomial_weights(200, 200, 1))
    assert found[UP].excess_interval.low[0] > 0.2
    assert abs(found[DOWN].excess[0]) < 0.01
    # turned upside down the two change places
    upside_down = diagonal_steps(sites[:, :, ::-1], multinomial_weights(200, 200, 1))
    assert upside_down[DOWN].ratio == found[UP].ratio


def test_intervals_resample_windows():
    x, weights = bernoulli(0.3, (1, 9, 4, 30), seed=5), multinomial_weights(9, 50, 1)
    found = diagonal_steps(x, weights)[DOWN]
    again = [x[:, np.repeat(np.arange(9), row)] for row in weights]
    ratios = np.array([step_sums(one, DOWN).pooled() for one in again])
    excess = ratios - [expected_steps(one, DOWN).pooled() for one in again]
    np.testing.assert_allclose(found.interval.low, percentile_interval(ratios).low)
    np.testing.assert_allclose(found.excess_interval.high, percentile_interval(excess).high)


@pytest.mark.parametrize("shape", [(1, 2, 1, 8), (1, 2, 3, 1)])
def test_a_lattice_without_diagonals_has_no_ratio(shape):
    for step in diagonal_steps(np.ones(shape, dtype=np.uint16), multinomial_weights(2, 20, 1)).values():
        assert np.isnan([step.ratio[0], step.excess[0], step.interval.low[0], step.excess_interval.high[0]]).all()
