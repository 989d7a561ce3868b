"""Critical Poisson branching: the Borel law of sizes, durations, and what a short range of durations does to exponents.

Borel 1942 and Otter 1949 for sizes; Harris 1963, "The theory of branching processes", for durations: one minus the
probability of the event's offspring all dying in time. The literals are those sums, worked out outside this code.
"""

import numpy as np
import pytest
from scipy.optimize import brentq

from critnb.canon import Adjacency
from critnb.criticality import closed_forms as known
from critnb.criticality import find_avalanches
from critnb.criticality.synthetic import lattice_cascades, poisson_branching

N = 100_000
SIZES = {1: 0.367879, 2: 0.135335, 3: 0.0746806, 4: 0.0488417}
DURATIONS = {1: 0.367879, 2: 0.163584, 3: 0.0944541, 4: 0.0620026}
MEAN_SIZES = {1: 1.0, 2: 2.195192, 3: 3.747514, 4: 5.654262, 10: 24.40246}


@pytest.fixture(scope="module")
def runs():
    return poisson_branching(N, 1.0, max_generations=100, seed=41)


def bounded_exponent(values, shares, low, high):
    """The exponent of a power law on low..high whose mean log is that of the shares: the maximum of its likelihood."""
    inside = (values >= low) & (values <= high)
    mean_log = np.average(np.log(values[inside]), weights=shares[inside])
    support = np.arange(low, high + 1.0)

    def excess(exponent):
        return np.average(np.log(support), weights=support**-exponent) - mean_log

    return brentq(excess, 0.5, 4.0)


def slope(durations, sizes):
    return np.polyfit(np.log(durations), np.log(sizes), 1)[0]


@pytest.mark.parametrize(("size", "share"), SIZES.items())
def test_sizes(runs, size, share):
    assert np.mean(runs.sizes == size) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / N))


@pytest.mark.parametrize(("duration", "share"), DURATIONS.items())
def test_durations(runs, duration, share):
    assert np.mean(runs.durations == duration) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / N))


@pytest.mark.parametrize(("duration", "mean"), MEAN_SIZES.items())
def test_mean_size_given_the_duration(runs, duration, mean):
    sizes = runs.sizes[runs.durations == duration]
    assert sizes.mean() == pytest.approx(mean, abs=4 * sizes.std() / np.sqrt(len(sizes)) + 1e-9)


@pytest.mark.parametrize(("low", "tau"), [(1, 1.4823), (10, 1.4981)])
def test_size_exponent_of_the_whole_population(low, tau):
    sizes = np.arange(1, 1001.0)
    assert bounded_exponent(sizes, known.borel_pmf(sizes), low, 1000) == pytest.approx(tau, abs=5e-5)


@pytest.mark.parametrize(("low", "high", "alpha", "gamma"), [(3, 12, 1.58, 1.59), (1, 24, 1.43, 1.56)])
def test_the_depth_trap(low, high, alpha, gamma):
    """Exactly critical, yet durations of 3 to 12 do not show 2 and 2."""
    durations = np.arange(1, 25.0)
    shares, sizes = known.poisson_branching_durations(24), known.mean_size_by_duration(24)
    used = (durations >= low) & (durations <= high)
    assert bounded_exponent(durations, shares, low, high) == pytest.approx(alpha, abs=6e-3)
    assert slope(durations[used], sizes[used]) == pytest.approx(gamma, abs=6e-3)


def test_exponents_reach_their_limits_far_out():
    durations = np.arange(1, 20_001.0)
    shares, sizes = known.poisson_branching_durations(20_000), known.mean_size_by_duration(20_000)
    far = durations >= 5_000
    assert slope(durations[far], shares[far]) == pytest.approx(-2, abs=0.01)
    assert slope(durations[far], sizes[far]) == pytest.approx(2, abs=0.01)
    n = np.geomspace(1e4, 1e6, 20)
    assert slope(n, known.borel_pmf(n)) == pytest.approx(-1.5, abs=1e-4)


def test_cascades_laid_out_on_a_lattice_are_found_whole():
    """The same cascades as counts on the lattice: one avalanche each, with the size, area and spans they were drawn with."""
    shape = (6, 20)
    drawn = lattice_cascades(300, n_layers=6, n_tokens=20, m_time=1.0, m_depth=0.0, seed=42)
    counts = np.zeros((300, *shape), dtype=np.uint16)
    for n in range(300):
        # along tokens only, so the sites are the span, and all events but one a site can lie on the first
        counts[n, drawn.l_min[n], drawn.t_min[n] : drawn.t_max[n] + 1] = 1
        counts[n, drawn.l_min[n], drawn.t_min[n]] += drawn.size[n] - drawn.area[n]
    found = find_avalanches(counts, drawn.seq_id, Adjacency.ADJ_4N)
    for name in ("size", "area", "span_tokens", "span_layers", "t_min", "t_max", "l_min", "l_max", "touches_edge"):
        assert np.array_equal(getattr(found, name), getattr(drawn, name)), name
