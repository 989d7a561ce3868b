"""Bond directed percolation in 1 + 1 dimensions at its threshold, grown from one site.

p_c = 0.644700185, delta = 0.159464, theta = 0.313686: Jensen 1999, J. Phys. A 32, 5233. As exponents of avalanches
alpha = 1 + delta, gamma = 1 + theta + delta, tau = 1 + delta / gamma: Munoz, Dickman, Vespignani and Zapperi 1999,
Phys. Rev. E 59, 6175.
"""

import numpy as np
import pytest

from critnb.criticality import known
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


def test_short_durations_do_not_show_the_exponent(runs):
    """At durations of 3 to 10 gamma is about 1.35, not 1.47."""
    durations = np.arange(3, 11)
    means = [runs.sizes[runs.durations == d].mean() for d in durations]
    assert np.polyfit(np.log(durations), np.log(means), 1)[0] == pytest.approx(1.35, abs=0.05)
