"""Clusters of independent sites: numbers per site from the count of lattice animals by perimeter.

Four neighbours: the classical series of site percolation (Sykes and Glen 1976, J. Phys. A 9, 87); eight neighbours are
counted in the same way. The formulas hold per site of an infinite lattice. Here a cluster is counted by the lower
corner of its bounding box, and only where that corner lies so far inside that every cluster of the size fits with its
whole perimeter: there the expectation is the formula's, exactly, and the lattice's edge does not enter.
"""

import numpy as np
import pytest

from critnb.canon import Adjacency
from critnb.criticality import find_avalanches
from critnb.criticality.synthetic import bernoulli, periodic_cluster_counts

MARGIN = 5
SHAPE = (60, 100, 100)
INNER_SITES = SHAPE[0] * (SHAPE[1] - 2 * MARGIN) * (SHAPE[2] - 2 * MARGIN)


def four(p):
    q = 1 - p
    return {
        1: p * q**4,
        2: 2 * p**2 * q**6,
        3: p**3 * (4 * q**7 + 2 * q**8),
        4: p**4 * (9 * q**8 + 8 * q**9 + 2 * q**10),
    }


def eight(p):
    q = 1 - p
    return {
        1: p * q**8,
        2: 2 * p**2 * (q**10 + q**12),
        3: p**3 * (6 * q**12 + 8 * q**14 + 4 * q**15 + 2 * q**16),
    }


@pytest.mark.parametrize(
    ("adjacency", "density", "per_site"),
    [
        (Adjacency.ADJ_4N, 0.15, four(0.15)),
        (Adjacency.ADJ_4N, 0.35, four(0.35)),
        (Adjacency.ADJ_8N, 0.1, eight(0.1)),
        (Adjacency.ADJ_8N, 0.2, eight(0.2)),
    ],
)
def test_cluster_numbers(adjacency, density, per_site):
    counts = bernoulli(density, SHAPE, seed=17).astype(np.uint16)
    found = find_avalanches(counts, np.arange(SHAPE[0], dtype=np.int32), adjacency)
    inner = (found.t_min >= MARGIN) & (found.t_min < SHAPE[2] - MARGIN)
    inner &= (found.l_min >= MARGIN) & (found.l_min < SHAPE[1] - MARGIN)
    numbers = np.bincount(found.area[inner], minlength=5)
    for area, expected in per_site.items():
        # Clusters exclude each other nearby, so their number varies no more than a Poisson variable's.
        tolerance = 4 * np.sqrt(expected * INNER_SITES)
        assert abs(numbers[area] - expected * INNER_SITES) < tolerance, area


@pytest.mark.parametrize(
    ("adjacency", "per_site"), [(Adjacency.ADJ_4N, four), (Adjacency.ADJ_8N, eight)], ids=["four", "eight"]
)
@pytest.mark.parametrize("density", [0.05, 0.2, 0.45])
def test_cluster_numbers_of_periodic_boxes(adjacency, per_site, density):
    counts = periodic_cluster_counts(bernoulli(density, (80, 32, 32), seed=18), adjacency, len(per_site(density)))
    found = counts.mean(axis=0) / 32**2
    error = counts.std(axis=0, ddof=1) / np.sqrt(80) / 32**2
    assert np.all(np.abs(found - list(per_site(density).values())) < 4 * error)
