"""Closed forms against literals of the literature, sums, and brute force; never against themselves."""

from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from critnb.canon import Adjacency
from critnb.criticality import closed_forms
from critnb.criticality.synthetic import bernoulli, periodic_cluster_counts


def test_borel_law():
    assert closed_forms.borel_pmf(np.arange(1, 5)) == pytest.approx(
        [0.367879, 0.135335, 0.0746806, 0.0488417], abs=5e-7
    )
    # below one: total one and mean 1 / (1 - m)
    n = np.arange(1, 2_000)
    pmf = closed_forms.borel_pmf(n, m=0.8)
    assert pmf.sum() == pytest.approx(1.0, abs=1e-12)
    assert (n * pmf).sum() == pytest.approx(5.0, abs=1e-9)
    # Stirling: n^(-3/2) / sqrt(2 pi)
    assert closed_forms.borel_pmf(np.array([10**6]))[0] == pytest.approx(1e-9 / np.sqrt(2 * np.pi), rel=1e-6)


def test_durations_of_critical_poisson_branching():
    assert closed_forms.poisson_branching_durations(4) == pytest.approx(
        [0.367879, 0.163584, 0.0944541, 0.0620026], abs=5e-7
    )
    # Kolmogorov 1938: P(D > k) falls as 2 / k
    assert 1 - closed_forms.poisson_branching_durations(4_000).sum() == pytest.approx(2 / 4_000, rel=5e-3)


def test_mean_size_given_the_duration():
    found = closed_forms.mean_size_by_duration(10)
    assert found[:4] == pytest.approx([1, 2.195192, 3.747514, 5.654262], abs=1e-6)
    assert found[9] == pytest.approx(24.40246, abs=1e-5)
    # all sizes together: the mean of a subcritical process is 1 / (1 - m)
    shares, sizes = closed_forms.poisson_branching_durations(200, 0.7), closed_forms.mean_size_by_duration(200, 0.7)
    assert (shares * sizes).sum() == pytest.approx(1 / 0.3, rel=1e-9)


def test_exponents_obey_the_scaling_laws_they_come_from():
    for law in (closed_forms.MEAN_FIELD, closed_forms.DIRECTED_PERCOLATION):
        assert (law.alpha - 1) / (law.tau - 1) == pytest.approx(law.gamma, abs=1e-5)
    # Jensen 1999: delta 0.159464, theta 0.313686
    assert closed_forms.DIRECTED_PERCOLATION.alpha == pytest.approx(1 + 0.159464, abs=1e-9)
    assert closed_forms.DIRECTED_PERCOLATION.gamma == pytest.approx(1 + 0.313686 + 0.159464, abs=1e-9)


def test_spans_without_the_other_axis_are_the_durations():
    alone = closed_forms.cascade_spans(4, n_across=1, m_along=1.0, m_across=0.0)
    assert alone[0] == pytest.approx([0.367879, 0.163584, 0.0944541, 0.0620026], abs=1e-6)


def test_spans_of_a_deep_stack_are_those_of_the_column_process():
    """Far from the last layer a token's events are a Borel total progeny: q_k = E[exp(m_along (q_{k-1} - 1) C)]."""
    exact, q = closed_forms.cascade_spans(5, n_across=300, m_along=0.6, m_across=0.4)[0], [0.0]
    c = np.arange(1, 200)
    for _ in range(5):
        q.append(float((closed_forms.borel_pmf(c, 0.4) * np.exp(0.6 * (q[-1] - 1) * c)).sum()))
    assert exact == pytest.approx(np.diff(q), abs=1e-10)


def test_mean_size_of_cascades():
    """Paths: a site a tokens and b layers on is reached along C(a+b, a) of them."""
    from math import comb

    total = 0.0
    for layer in range(3):
        for token in range(4):
            total += sum(comb(a + b, a) * 0.3**a * 0.5**b for a in range(4 - token) for b in range(3 - layer))
    assert closed_forms.cascade_mean_size(n_layers=3, n_tokens=4, m_time=0.3, m_depth=0.5) == pytest.approx(total / 12)


def test_subsampled_slopes():
    assert closed_forms.subsampled_slopes(np.array([1, 2]), m=0.9, p=0.1) == pytest.approx(
        [0.332103, 0.298893], abs=5e-7
    )
    assert closed_forms.subsampled_slopes(np.array([1]), m=0.98, p=0.1)[0] == pytest.approx(0.722501, abs=5e-7)
    assert closed_forms.subsampled_slopes(np.array([3]), m=0.5, p=1.0)[0] == 0.125


def animals(size, structure):
    """Every set of ``size`` joined sites, up to translation, grown site by site, by its number of empty neighbours."""
    steps = [tuple(step) for step in np.argwhere(structure) - 1 if any(step)]
    grown = {frozenset([(0, 0)])}
    for _ in range(size - 1):
        grown = {shifted(a | {(y + dy, x + dx)}) for a in grown for y, x in a for dy, dx in steps}
    of_size = {a for a in grown if len(a) == size}
    return Counter(len({(y + dy, x + dx) for y, x in a for dy, dx in steps} - a) for a in of_size)


def shifted(sites):
    low_y, low_x = min(y for y, _ in sites), min(x for _, x in sites)
    return frozenset((y - low_y, x - low_x) for y, x in sites)


@pytest.mark.parametrize("adjacency", Adjacency)
def test_cluster_numbers_are_counted_animals(adjacency):
    structure = ndimage.generate_binary_structure(2, 1 if adjacency is Adjacency.ADJ_4N else 2)
    p = 0.3
    for size, found in enumerate(closed_forms.clusters_per_site(p, adjacency), start=1):
        counted = animals(size, structure)
        assert found == pytest.approx(sum(n * p**size * (1 - p) ** t for t, n in counted.items()), rel=1e-12)


@pytest.mark.parametrize("adjacency", Adjacency)
def test_periodic_clusters_are_those_of_a_plain_labelling_with_joined_edges(adjacency):
    occupied = bernoulli(0.35, (12, 9, 11), seed=6)
    expected = np.zeros((12, 3), dtype=int)
    for place, box in enumerate(occupied):
        # label three by three copies; clusters of the middle copy by their smallest site
        tiled, n = ndimage.label(
            np.tile(box, (3, 3)), ndimage.generate_binary_structure(2, 1 if adjacency is Adjacency.ADJ_4N else 2)
        )
        for sites in (np.argwhere(tiled == k) for k in range(1, n + 1)):
            first = sites[np.lexsort(sites.T)[0]]
            if len(sites) <= 3 and 9 <= first[0] < 18 and 11 <= first[1] < 22:
                expected[place, len(sites) - 1] += 1
    assert periodic_cluster_counts(occupied, adjacency, 3).tolist() == expected.tolist()
