"""Counts of which one condition is in memory at a time, against the whole array."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.canon import DatasetRole, Intervention, ModelRole, SpikeDef
from critnb.errors import DataError
from critnb.lattice import RASTER_NULLS, Condition, ConditionTable, HeldPlanes, Raster, null_raster, null_when_asked
from critnb.lattice.planes import MadePlanes

SHAPE = (4, 3, 2, 5)
ONE = Condition(ModelRole.BASE, DatasetRole.A, SpikeDef.SPIKE_ONE_SIDED_POS, 2e-5, 1.0, Intervention.MLP_GLOBAL)
TABLE = ConditionTable(replace(ONE, gain=1 + i / 10) for i in range(SHAPE[0]))


def whole(largest: int) -> np.ndarray:
    counts = np.random.default_rng(largest).integers(0, 4, SHAPE).astype(np.uint16)
    counts[1, 0, 0, 0] = largest
    return counts


def both(counts: np.ndarray) -> list:
    held = HeldPlanes.of(iter(counts), counts.shape[1:])
    return [held, MadePlanes(lambda i: counts[i].copy(), tuple(range(len(counts))), counts.shape[1:])]


index = st.one_of(
    st.integers(-4, 3),
    st.lists(st.integers(0, 3), max_size=4),
    st.slices(4),
    st.tuples(st.integers(-4, 3), st.lists(st.integers(0, 2), min_size=1)),
    st.tuples(st.slices(4), st.slices(3)),
    st.tuples(st.slices(4), st.integers(0, 2), st.just(...), st.integers(0, 4)),
)


@given(index, st.sampled_from([3, 255, 256, 65535]))
def test_planes_answer_as_the_array_does(where, largest):
    counts = whole(largest)
    for planes in both(counts):
        found, expected = planes[where], counts[where]
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("largest", [255, 256, 65535])
def test_sums_are_exact_and_a_plane_takes_a_byte_a_site_where_it_can(largest):
    counts = whole(largest)
    for planes in both(counts):
        for axis in [(1, 2, 3), (1, 3), (2, 3), 1]:
            assert np.array_equal(planes.sum(axis=axis, dtype=np.int64), counts.sum(axis=axis, dtype=np.int64))
        assert (planes.max(), planes.size, len(planes)) == (max(largest, 3), counts.size, 4)
        assert np.array_equal(np.asarray(planes), counts)
        assert np.array_equal(planes.chosen([2, 0])[:], counts[[2, 0]])
        assert planes.chosen([]).shape == (0, *SHAPE[1:])
    sizes = [plane.itemsize for plane in both(counts)[0].planes]
    assert sizes == [1, 1 if largest < 256 else 2, 1, 1]


@pytest.mark.parametrize("wrong", [np.zeros((3, 2, 4), np.uint16), np.zeros((3, 2, 5), np.uint8)])
def test_a_plane_of_another_kind_is_refused(wrong):
    with pytest.raises(DataError, match="a plane of"):
        HeldPlanes.of([np.zeros((3, 2, 5), np.uint16), wrong], (3, 2, 5))


@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_a_null_is_the_same_drawn_at_once_and_when_it_is_asked_for(null_id):
    counts = np.random.default_rng(5).poisson(0.6, SHAPE).astype(np.uint16)
    tokens = np.random.default_rng(6).integers(0, 3, (SHAPE[1], SHAPE[3])).astype(np.int32)
    raster = Raster(counts, TABLE, np.arange(SHAPE[1], dtype=np.int32), tokens)
    at_once = null_raster(raster, null_id, seed=3)
    asked = null_when_asked(replace(raster, counts=both(counts)[0]), null_id, seed=3)
    assert asked == at_once
    assert asked.take([3, 1]) == at_once.take([3, 1])
    assert null_raster(replace(raster, counts=both(counts)[0]), null_id, seed=3) == at_once
