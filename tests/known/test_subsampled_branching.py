"""Multistep regression of a driven branching process of which a tenth of the events is seen.

r_k = b m^k with b = p / (p + (1-p)(1-m^2)); Wilting and Priesemann 2018, Nature Communications 9, 2325.
"""

import pytest

from critnb.criticality import multinomial_weights
from critnb.criticality.multistep import lag_slopes, multistep
from critnb.criticality.synthetic import driven_branching, subsample

WEIGHTS = multinomial_weights(96, 300, seed=1337)
SLOPES = {0.9: {1: 0.332103, 2: 0.298893}, 0.98: {1: 0.722501}}


def seen_of(m, sequences, tokens):
    return subsample(driven_branching(m, 3.0, tokens, sequences, seed=61), 0.1, seed=62)[:, None, :]


@pytest.mark.parametrize("m", SLOPES)
def test_slopes(m):
    activity = seen_of(m, 96, 1500)
    found = lag_slopes(activity, 2)
    spread = lag_slopes(activity, 2, weights=WEIGHTS).std(axis=0)
    for lag, slope in SLOPES[m].items():
        assert spread[lag - 1] < 0.03
        assert found[lag - 1] == pytest.approx(slope, abs=4 * spread[lag - 1])


@pytest.mark.parametrize("m", SLOPES)
def test_m_is_found_and_the_ratio_is_not_it(m):
    found = multistep(seen_of(m, 96, 512), weights=WEIGHTS)
    assert found.m_ci_low < m < found.m_ci_high
    assert found.m_ci_high - found.m_ci_low < 0.06
    assert found.r1 < m - 0.2
