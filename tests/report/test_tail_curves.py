"""The curves of fitted laws against their sums over the support, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_ndtr, zeta
from scipy.stats import lognorm

from critnb.report.figures.tail_curves import cutoff_survival, lognormal_survival, support


@pytest.mark.parametrize(
    ("alpha", "rate"), [(1.5, 0.0), (2.7, 0.0), (0.0, 0.2), (1.2, 0.01), (-0.5, 0.0), (0.0, -0.01)]
)
@pytest.mark.parametrize(("xmin", "xmax"), [(1, 30), (4, 200), (7, 60_000), (5, 5)])
def test_a_laws_curve_is_its_sum_over_the_support(alpha, rate, xmin, xmax) -> None:
    points = support(xmin, xmax)
    k = np.arange(xmin, xmax + 1, dtype=np.float64)
    log_mass = -alpha * np.log(k) - rate * k
    mass = np.exp(log_mass - log_mass.max())
    expected = np.cumsum(mass[::-1])[::-1][(points - xmin).astype(int)] / mass.sum()
    # Where the law rises towards a far upper end its mass sits in the last bins, which are wide; tails fall.
    off = 2e-3 if rate < 0 else 1e-12
    np.testing.assert_allclose(cutoff_survival(points, alpha=alpha, rate=rate), expected, rtol=1e-5, atol=off)


def test_without_an_upper_end_the_power_law_is_zetas() -> None:
    points = support(3, np.nan)
    found = cutoff_survival(points, alpha=2.5, rate=0.0)
    np.testing.assert_allclose(found[:500], zeta(2.5, points[:500]) / zeta(2.5, 3), rtol=1e-6)


@pytest.mark.parametrize(("mu", "sigma"), [(0.5, 1.2), (-40.0, 8.0), (3.0, 0.5)])
def test_the_lognormals_curve_is_scipys(mu, sigma) -> None:
    points = support(2, 5000)
    ends = lognorm.sf([*(points - 0.5), 5000.5], sigma, scale=np.exp(mu))
    expected = (ends[:-1] - ends[-1]) / (ends[0] - ends[-1])
    np.testing.assert_allclose(lognormal_survival(points, mu=mu, sigma=sigma), expected, rtol=1e-6, atol=1e-9)


def test_a_lognormal_far_above_the_support_crowds_at_its_end() -> None:
    """There P(K > k) is one to the last digit, and its differences are lost."""
    points = support(2, 5000)
    found = lognormal_survival(points, mu=20.0, sigma=0.5)
    at_3000, above = log_ndtr((np.log([3000.0, 5001.0]) - 20.0) / 0.5)
    assert found[0] == 1.0
    assert 0 < found[-1] < 0.1
    assert np.interp(3000, points, found) == pytest.approx(1 - np.exp(at_3000 - above), abs=1e-3)
