"""The confidence set of gains on rasters of independent sites, whose b_tot is known, and on degenerate ones."""

import numpy as np
import pytest

from critnb.criticality import BranchingSums, branching_sums, multinomial_weights, select_gstar
from critnb.criticality.gain_set import confidence_set

N, L, T = 64, 8, 48


def rasters(rng, b_tot, *, windows=None):
    """Sums [G, N]; independent sites of density p have b_tot = 2 p."""
    scale = np.ones(N) if windows is None else windows
    return BranchingSums.stack(
        [branching_sums(rng.random((N, L, T)) < np.clip(b / 2 * scale, 0, 0.98)[:, None, None]) for b in b_tot]
    )


def sets(b_tot, samples, *, windows=None, seed=0):
    rng, weights = np.random.default_rng(seed), multinomial_weights(N, 200, 1)
    return np.array([confidence_set(rasters(rng, b_tot, windows=windows), weights).members for _ in range(samples)])


@pytest.mark.parametrize("b", [0.6, 1.0])
@pytest.mark.parametrize("varied", [False, True])
def test_of_equal_gains_none_is_ruled_out_in_95_of_100_samples(b, varied):
    """So that none is called identified either; 60 samples, within four standard errors."""
    windows = np.random.default_rng(7).gamma(4, 0.25, N) if varied else None
    found = sets([b] * 9, 60, windows=windows)
    assert np.mean(~found.all(axis=1)) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 60)
    assert np.mean(found.sum(axis=1) == 1) <= 0.05


def test_a_gain_clearly_nearer_one_is_identified():
    found = sets([0.6, 0.7, 0.95, 0.7, 0.6], 20)
    assert (found == [False, False, True, False, False]).all()


def test_both_sides_of_one_are_compared_by_their_distance():
    """0.8 and 1.2 are equally far: neither rules out the other, and both are farther than 0.95; 1.3 and 0.6 are out."""
    found = sets([0.8, 1.2], 30)
    assert np.mean(found.all(axis=1)) >= 0.8
    assert (sets([0.6, 0.95, 1.3], 20) == [False, True, False]).all()


def test_the_worse_of_two_leaves_in_95_of_100_samples_where_the_better_is_at_one():
    """x = 0 is where |x| has its fold: the best gain stays in the set."""
    found = sets([1.0, 1.0, 0.85], 60)
    assert found[:, :2].all(axis=1).mean() >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / 60)
    assert not found[:, 2].any()


def test_g_star_is_always_in_the_set():
    rng = np.random.default_rng(3)
    for _ in range(20):
        b = rng.uniform(0.3, 1.5, 6)
        gains = np.arange(6.0)
        choice = select_gstar(gains, rasters(rng, b), baseline=1.0, replicates=99, seed=1)
        assert choice.gstar in choice.confidence_set
        assert choice.identified == (len(choice.confidence_set) == 1)


def test_pairs_against_a_plain_studentised_bootstrap():
    """Two gains, by hand: the influence of a window on the two ratios, loops over replicates, the 95 % quantile."""
    rng = np.random.default_rng(11)
    weights = multinomial_weights(N, 199, 5)
    for b in ([0.6, 0.66], [0.6, 0.7], [0.6, 0.64], [0.9, 1.1]):
        sums = rasters(rng, b)
        assert confidence_set(sums, weights).members.tolist() == _by_hand(sums, weights)


def _by_hand(sums, weights):
    def estimate(w):
        values, influence = [], []
        for g in range(2):
            tp, ts, dp, ds = (array[g].astype(float) for array in sums.arrays().values())
            b_time, b_depth = (w * tp).sum() / (w * ts).sum(), (w * dp).sum() / (w * ds).sum()
            values.append(b_time + b_depth - 1)
            influence.append((tp - b_time * ts) / (w * ts).sum() + (dp - b_depth * ds) / (w * ds).sum())
        contrasts = np.array([values[0] - values[1], values[0] + values[1]])
        each = np.array([influence[0] - influence[1], influence[0] + influence[1]])
        return contrasts, np.sqrt((w * each**2).sum(axis=1) * N / (N - 1))

    found, error = estimate(np.ones(N))
    largest = []
    for w in weights:
        drawn, its_error = estimate(w)
        largest.append(np.max(np.abs(drawn - found) / its_error))
    critical = sorted(largest)[int(np.ceil(0.95 * (len(weights) + 1))) - 1]
    apart = np.min(np.abs(found) / error) > critical
    first_is_farther = found[0] * found[1] > 0
    return [not (apart and first_is_farther), not (apart and not first_is_farther)]


@pytest.mark.parametrize(
    ("b_tot", "n", "members", "why"),
    [
        ([0.9], 8, [True], "one gain"),
        ([np.nan, 0.9], 8, [False, True], "one gain alone"),
        ([0.5, 0.9], 1, [True, True], "one window"),
        ([0.5, 0.9], 8, [True, True], "cannot be told apart"),  # no spread between windows
        ([0.9, 0.9], 8, [True, True], "cannot be told apart"),
    ],
)
def test_where_nothing_can_be_compared_no_gain_is_identified(b_tot, n, members, why):
    b = np.repeat(np.asarray(b_tot)[:, None], n, axis=1)
    sites = np.where(np.isnan(b), 0.0, 1000.0)
    sums = BranchingSums(np.nan_to_num(b) * 1000, sites, np.zeros_like(b), sites)
    found = confidence_set(sums, multinomial_weights(n, 50, 1))
    assert found.members.tolist() == members
    assert why in found.reason


def test_a_gain_with_events_in_one_window_only_is_neither_ruled_out_nor_in_the_way():
    rng = np.random.default_rng(2)
    sums = rasters(rng, [0.5, 0.9, 0.3])
    rare = np.zeros(N)
    rare[0] = 10.0
    arrays = {name: array.astype(float) for name, array in sums.arrays().items()}
    for name, array in arrays.items():
        array[2] = rare * (0.1 if "pairs" in name else 1.0)
    found = confidence_set(BranchingSums(**arrays), multinomial_weights(N, 200, 1))
    assert found.members.tolist() == [False, True, True]


def test_too_few_replicates_rule_nothing_out():
    sums = rasters(np.random.default_rng(2), [0.3, 0.9])
    assert confidence_set(sums, multinomial_weights(N, 2, 1)).members.all()
