import json

import numpy as np
import pytest

from critnb.criticality import BranchingSums, branching_sums, select_gstar
from critnb.criticality.synthetic import bernoulli
from critnb.errors import DataError

GAINS = [0.8, 0.9, 1.0, 1.1, 1.2]
OPTIONS = {"baseline": 1.0, "replicates": 200, "seed": 1337}


def sums(b_tot, n=20, noise=0.0):
    """Sums [G, N] whose pooled b_tot is as given, all of it along time; noise is per gain and sequence."""
    b = np.asarray(b_tot, dtype=float)[:, None] + noise * np.random.default_rng(0).normal(size=(len(b_tot), n))
    sites = np.where(np.isnan(b), 0.0, 1000.0)
    return BranchingSums(np.nan_to_num(b) * 1000, sites, np.zeros_like(b), sites)


def choose(b_tot, gains=GAINS, **more):
    return select_gstar(gains, sums(b_tot, **more), **OPTIONS)


def test_the_gain_nearest_one_is_chosen():
    choice = choose([0.5, 0.7, 0.9, 1.02, 1.3])
    assert choice.gstar == 1.1
    assert choice.b_tot_at_gstar == pytest.approx(1.02)
    assert choice.b_tot == pytest.approx((0.5, 0.7, 0.9, 1.02, 1.3))
    assert not choice.at_grid_edge


@pytest.mark.parametrize(
    ("b_tot", "gstar"),
    [
        ([0.9, 0.5, 0.5, 0.9, 0.5], 1.1),  # the nearer to the baseline
        ([0.5, 0.9, 0.5, 1.1, 0.5], 0.9),  # equally near: the smaller
        ([0.9, 0.5, 1.1, 0.5, 0.9], 1.0),  # the baseline itself
        ([0.5, 0.5, 0.5, 0.5, 0.5], 1.0),
        ([0.9, np.nan, np.nan, np.nan, 0.8], 0.8),  # a NaN is never chosen
    ],
)
def test_ties(b_tot, gstar):
    assert choose(b_tot).gstar == gstar


def test_a_rounding_error_of_the_gains_breaks_no_tie():
    assert 1.15 - 1 < 1 - 0.85  # as floats
    assert choose([0.9, 0.5, 0.9], [0.85, 1.0, 1.15]).gstar == 0.85


def test_the_order_of_the_grid_does_not_matter():
    gains, b_tot = [1.1, 0.8, 1.2, 0.9, 1.0], [1.1, 0.5, 0.5, 0.9, 0.5]
    choice = choose(b_tot, gains)
    assert (choice.gstar, choice.gains, choice.crossing) == (0.9, tuple(gains), pytest.approx(1.0 + 0.1 * 5 / 6))


@pytest.mark.parametrize(
    ("b_tot", "crossing"),
    [
        ([0.6, 0.8, 0.9, 1.1, 1.4], 1.05),
        ([1.4, 1.1, 0.95, 0.9, 0.6], 0.9 + 0.1 * 2 / 3),
        ([0.5, 1.5, 1.5, 1.3, 0.9], 0.85),  # and at 1.175, which is farther from the baseline
        ([0.5, 0.6, 0.7, 1.0, 0.7], 1.1),  # touches
        ([0.5, 0.6, 0.7, 1.0, 1.0], 1.1),  # stays at one
        ([0.9, np.nan, 1.2, 1.3, 1.4], None),  # nothing is interpolated over a gap
        ([0.5, 0.6, 0.7, 0.8, 0.9], None),
    ],
)
def test_crossing(b_tot, crossing):
    choice = choose(b_tot)
    assert choice.crosses_one == (crossing is not None)
    assert choice.crossing == (None if crossing is None else pytest.approx(crossing))


def test_edge():
    assert choose([0.5, 0.6, 0.7, 0.8, 0.9]).at_grid_edge
    assert choose([1.0, 1.1, 1.2, 1.3, 1.4]).at_grid_edge
    assert choose([1.0], [0.7]).at_grid_edge


def test_without_noise_every_replicate_agrees():
    choice = choose([0.6, 0.8, 0.9, 1.05, 1.4])
    assert choice.chosen_share == (0, 0, 0, 1, 0)
    assert choice.confidence_set == tuple(GAINS)  # nothing says how far b_tot could vary
    assert not choice.identified
    assert choice.crossing_share == 1
    assert choice.crossing_ci_low == pytest.approx(choice.crossing)
    assert choice.crossing_ci_high == pytest.approx(choice.crossing)


def test_the_bootstrap_tells_a_flat_curve_from_a_steep_one():
    flat, steep = (choose(1 + slope * (np.array(GAINS) - 1.0), noise=0.1) for slope in (0.05, 3.0))
    assert steep.identified
    assert steep.confidence_set == (1.0,)
    assert steep.identified_reason == ""
    assert len(flat.confidence_set) > 1
    assert flat.gstar in flat.confidence_set
    assert not flat.identified
    assert flat.crossing_ci_high - flat.crossing_ci_low > steep.crossing_ci_high - steep.crossing_ci_low
    assert sum(flat.chosen_share) == pytest.approx(1)


def test_chosen_share_is_that_of_a_plain_bootstrap():
    real = sums(1 + 0.2 * (np.array(GAINS) - 1.0), noise=0.3)
    share = np.array(select_gstar(GAINS, real, baseline=1.0, replicates=2000, seed=1).chosen_share)
    rng, picks = np.random.default_rng(5), np.zeros(len(GAINS))
    for _ in range(2000):
        b = real.time_pairs[:, rng.integers(0, 20, 20)].sum(1) / 20_000
        picks[np.argmin(np.abs(b - 1))] += 1 / 2000
    assert np.abs(share - picks).max() < 4 * np.sqrt(2 * 0.25 / 2000)


def test_the_crossing_interval_holds_the_crossing_of_bernoulli_lattices():
    """Density 0.5 at gain 1 makes b_tot one there."""
    lattices = [bernoulli(0.5 * g, (40, 8, 64), seed=int(100 * g)) for g in GAINS]
    choice = select_gstar(GAINS, BranchingSums.stack([branching_sums(x) for x in lattices]), **OPTIONS)
    assert choice.gstar == 1.0
    assert choice.crossing_ci_low < 1.0 < choice.crossing_ci_high
    assert choice.crossing_ci_high - choice.crossing_ci_low < 0.1


def test_crossing_interval_needs_half_of_the_replicates():
    choice = choose([0.5, 0.5, 0.5, 0.5, 0.9])
    assert choice.crossing_share == 0
    assert choice.as_dict()["crossing_ci_low"] is None


def test_as_dict_is_json():
    choice = choose([0.9, np.nan, 0.7, 0.8, 0.9])
    read = json.loads(json.dumps(choice.as_dict(), allow_nan=False))
    assert read["b_tot"][1] is None
    assert read["crossing"] is None
    assert read["gains"] == GAINS
    assert read["gstar"] == 0.8


@pytest.mark.parametrize(
    ("gains", "b_tot", "message"),
    [
        (GAINS, [np.nan] * 5, "not defined at any gain"),
        (GAINS[:4], [1.0] * 5, "need sums"),
        ([1.0, 1.0], [1.0, 1.0], "each once"),
    ],
)
def test_bad_input(gains, b_tot, message):
    with pytest.raises(DataError, match=message):
        choose(b_tot, gains)
