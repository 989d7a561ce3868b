import numpy as np
import pytest

from critnb.criticality import closed_forms as known
from critnb.criticality.synthetic import (
    directed_percolation,
    driven_branching,
    percolation_cluster,
    poisson_branching,
    subsample,
)
from critnb.errors import DataError


def test_runs_that_outlive_the_limit_are_marked():
    sizes, durations = poisson_branching(20_000, 1.0, max_generations=6, seed=1)
    longer = durations == 7
    exact = 1 - known.poisson_branching_durations(6).sum()
    assert longer.mean() == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))
    assert np.all(sizes >= np.minimum(durations, 6))
    assert sizes[durations == 1].tolist() == [1] * np.count_nonzero(durations == 1)
    # one event a generation in expectation
    assert sizes.mean() == pytest.approx(6.0, abs=4 * sizes.std() / np.sqrt(20_000))


def test_a_process_without_offspring_ends_at_once():
    sizes, durations = poisson_branching(10, 0.0, max_generations=3, seed=1)
    assert sizes.tolist() == durations.tolist() == [1] * 10


@pytest.mark.parametrize(("m", "drive"), [(0.0, 3.0), (0.5, 2.0), (0.9, 1.0)])
def test_driven_activity_is_stationary(m, drive):
    x = driven_branching(m, drive, 40, 20_000, seed=2).astype(float)
    mean, variance = drive / (1 - m), drive / (1 - m) / (1 - m**2)
    for t in (0, 39):
        assert x[:, t].mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 20_000))
        assert x[:, t].var() == pytest.approx(variance, rel=0.05)
    assert np.corrcoef(x[:, 10], x[:, 13])[0, 1] == pytest.approx(m**3, abs=0.03)


@pytest.mark.parametrize("m", [1.0, -0.1, float("nan")])
def test_what_is_not_stationary_is_refused(m):
    with pytest.raises(DataError, match="no stationary state"):
        driven_branching(m, 1.0, 10, 2, seed=1)


def test_subsampling_is_binomial():
    seen = subsample(np.full(50_000, 7), 0.3, seed=3)
    assert seen.mean() == pytest.approx(2.1, abs=0.03)
    assert seen.var() == pytest.approx(7 * 0.3 * 0.7, rel=0.03)
    assert subsample(np.arange(5), 1.0, seed=3).tolist() == [0, 1, 2, 3, 4]


def test_percolation_has_the_exact_small_clusters():
    p, n = 0.6, 40_000
    sizes, durations = directed_percolation(p, n, max_generations=8, seed=4)
    q = 1 - p
    exact = {
        "P(D = 1)": (durations == 1, q**2),
        "P(S = 2)": (sizes == 2, 2 * p * q * q**2),
        # one site in the second generation, or two: all their bonds closed
        "P(D = 2)": (durations == 2, 2 * p * q * q**2 + p**2 * q**4),
    }
    for name, (found, share) in exact.items():
        assert found.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n)), name
    assert durations.max() == 9
    assert sizes.max() <= 36


def test_percolation_without_bonds_and_with_all():
    assert directed_percolation(0.0, 5, max_generations=4, seed=1).durations.tolist() == [1] * 5
    full = directed_percolation(1.0, 5, max_generations=4, seed=1)
    assert full.durations.tolist() == [5] * 5
    assert full.sizes.tolist() == [10] * 5


@pytest.mark.parametrize("seed", range(5))
def test_a_cluster_is_joined_by_bonds(seed):
    cluster = percolation_cluster(0.6447, 30, seed=seed)
    assert cluster.shape == (30, 30)
    assert cluster[0].tolist() == [True] + [False] * 29
    assert cluster.any(axis=1).all()
    reachable = cluster[:-1] | np.pad(cluster[:-1, :-1], ((0, 0), (1, 0)))
    assert not (cluster[1:] & ~reachable).any()


def test_a_cluster_that_no_try_has_is_an_error():
    with pytest.raises(DataError, match="none of 10 clusters lives for 40 generations"):
        percolation_cluster(0.2, 40, seed=1, tries=10)
