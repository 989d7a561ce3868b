"""How far two spike definitions see the same events, held against a plain count over sites."""

from __future__ import annotations

import numpy as np
import pytest

from critnb.canon import DatasetRole, Intervention, ModelRole, SpikeDef
from critnb.criticality.overlap import spike_def_overlap
from critnb.lattice import Condition, ConditionTable, Raster

ONE, TWO = SpikeDef


def raster(counts, *conditions: tuple[SpikeDef, float]) -> Raster:
    table = ConditionTable(
        Condition(ModelRole.BASE, DatasetRole.A, kind, 1e-3, gain, Intervention.MLP_GLOBAL) for kind, gain in conditions
    )
    planes = np.asarray(counts, dtype=np.uint16)
    return Raster(planes, table, np.arange(planes.shape[1], dtype=np.int32))


def by_hand(one, other) -> tuple[float, int]:
    """Site by site: events of both over events of either, and the sites that differ."""
    sites = list(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    return sum(min(pair) for pair in sites) / sum(max(pair) for pair in sites), sum(a != b for a, b in sites)


def test_each_gain_is_compared_with_the_other_definition_at_that_gain():
    counts = np.random.default_rng(5).poisson(0.4, (4, 3, 2, 7))
    found = spike_def_overlap(raster(counts, (ONE, 0.9), (ONE, 1.0), (TWO, 1.0), (TWO, 0.9)))
    for place, other in ((0, 3), (1, 2), (2, 1), (3, 0)):
        assert (found.shared[place], found.apart[place]) == pytest.approx(by_hand(counts[place], counts[other]))


@pytest.mark.parametrize(
    ("one", "other", "overlap", "apart"),
    [
        ([2, 0, 1], [2, 0, 1], 1.0, 0),
        ([0, 0, 0], [0, 0, 0], 1.0, 0),  # no event under either: the same raster
        ([3, 0, 0], [0, 1, 0], 0.0, 2),
        ([3, 1, 0], [1, 1, 0], 0.5, 1),
        ([0, 0, 0], [0, 0, 4], 0.0, 1),
    ],
)
def test_two_rasters_whose_overlap_is_known(one, other, overlap, apart):
    found = spike_def_overlap(raster([[[one]], [[other]]], (ONE, 1.0), (TWO, 1.0)))
    assert found.shared.tolist() == [overlap] * 2
    assert found.apart.tolist() == [apart] * 2


def test_what_was_measured_under_one_definition_alone_has_no_overlap():
    found = spike_def_overlap(raster([[[[1, 2]]]] * 2, (ONE, 0.9), (TWO, 1.0)))
    assert np.isnan(found.shared).all()
    assert np.isnan(found.apart).all()
