"""Bond directed percolation in 1 + 1 dimensions at its threshold, grown from one site.

p_c = 0.644700185, delta = 0.159464, theta = 0.313686: Jensen 1999, J. Phys. A 32, 5233. As exponents of avalanches
alpha = 1 + delta, gamma = 1 + theta + delta, tau = 1 + delta / gamma: Munoz, Dickman, Vespignani and Zapperi 1999,
Phys. Rev. E 59, 6175.
"""

import numpy as np
import pytest

from critnb.criticality import closed_forms as known
from critnb.criticality.synthetic import directed_percolation

N, LIMIT = 30_000, 128


@pytest.fixture(scope="module")
def runs():
    return directed_percolation(known.DIRECTED_PERCOLATION_THRESHOLD, N, max_generations=LIMIT, seed=51)


def test_the_closed_forms_are_the_published_numbers():
    assert known.DIRECTED_PERCOLATION_THRESHOLD == 0.644700185
    law = known.DIRECTED_PERCOLATION
    assert (law.alpha, law.gamma, law.tau) == pytest.approx((1.159464, 1.473150, 1.108247), abs=5e-7)


def test_survival_falls_with_the_duration_exponent(runs):
    """P(D > t) ~ t^-(alpha - 1); at t of 32 to 128 the next term is below the error."""
    early, late = (np.count_nonzero(runs.durations > t) for t in (32, LIMIT))
    error = np.sqrt((early - late) / (early * late)) / np.log(LIMIT / 32)
    assert np.log(early / late) / np.log(LIMIT / 32) == pytest.approx(0.159464, abs=4 * error)
    assert error < 0.004


def test_sizes_of_survivors_grow_with_gamma(runs):
    """E[S | D > t] up to t grows as t^gamma: from two runs of different limits."""
    half = directed_percolation(known.DIRECTED_PERCOLATION_THRESHOLD, N, max_generations=LIMIT // 4, seed=52)
    late, early = runs.sizes[runs.durations > LIMIT], half.sizes[half.durations > LIMIT // 4]
    errors = [sizes.std() / sizes.mean() / np.sqrt(len(sizes)) for sizes in (early, late)]
    found = np.log(late.mean() / early.mean()) / np.log(4)
    # the next term of the growth is 1/t: half a percent here
    assert found == pytest.approx(1.473150, abs=4 * np.hypot(*errors) / np.log(4) + 0.008)


def laid_out(generations):
    """P(D = k) and E[S; D = k], k = 1..generations, summed over every set of sites that a generation can have."""
    p, chance, size = known.DIRECTED_PERCOLATION_THRESHOLD, {1: 1.0}, {1: 1.0}
    ended = []
    for generation in range(1, generations + 1):
        following, sizes = np.zeros(2 ** (generation + 1)), np.zeros(2 ** (generation + 1))
        for sites, now in chance.items():
            reached = np.ones(1)
            for place in range(generation + 1):
                parents = (sites >> place & 1) + (place > 0 and sites >> (place - 1) & 1)
                closed = (1 - p) ** parents
                reached = np.concatenate([reached * closed, reached * (1 - closed)])
            following += now * reached
            sizes += size[sites] * reached
        ended.append((following[0], sizes[0]))
        # size: the expected events so far, of the runs that are in this set
        chance = {sites: now for sites, now in enumerate(following) if sites and now}
        size = {sites: sizes[sites] + sites.bit_count() * now for sites, now in chance.items()}
    return np.array(ended).T


def test_short_durations_do_not_show_the_exponent(runs):
    """At durations of 3 to 10 gamma is 1.36, not 1.47."""
    shares, sizes = laid_out(10)
    p = known.DIRECTED_PERCOLATION_THRESHOLD
    assert shares[0] == pytest.approx((1 - p) ** 2, rel=1e-12)
    # one of two bonds open and nothing after, or both open and all four bonds after them closed
    assert shares[1] == pytest.approx(2 * p * (1 - p) ** 3 + p**2 * (1 - p) ** 4, rel=1e-12)
    assert sizes[1] == pytest.approx(2 * 2 * p * (1 - p) ** 3 + 3 * p**2 * (1 - p) ** 4, rel=1e-12)
    durations = np.arange(3, 11)
    gamma = np.polyfit(np.log(durations), np.log(sizes[2:] / shares[2:]), 1)[0]
    assert gamma == pytest.approx(1.363273, abs=5e-7)
    means = [runs.sizes[runs.durations == d].mean() for d in durations]
    assert np.polyfit(np.log(durations), np.log(means), 1)[0] == pytest.approx(gamma, abs=0.035)
