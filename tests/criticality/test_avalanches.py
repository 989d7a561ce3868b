from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from critnb.canon import CANON, Adjacency
from critnb.criticality import EMPTY_SITE, find_avalanches, label_sites
from critnb.criticality.synthetic import toy_raster
from critnb.errors import DataError

STEPS = {
    Adjacency.ADJ_4N: [(0, 1), (0, -1), (1, 0), (-1, 0)],
    Adjacency.ADJ_8N: [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)],
}
lattices = hnp.arrays(
    np.uint16, st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 12)), elements=st.integers(0, 2)
)
sparse = hnp.arrays(
    np.uint16,
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 12)),
    elements=st.sampled_from([0, 0, 0, 500]),
)


def plain_search(plane, steps):
    """The sites (l, t) of each component of one sequence, found breadth first from the earliest token upwards."""
    layers, tokens = plane.shape
    seen, components = set(), []
    for token in range(tokens):
        for layer in range(layers):
            if not plane[layer, token] or (layer, token) in seen:
                continue
            queue, sites = deque([(layer, token)]), []
            seen.add((layer, token))
            while queue:
                at = queue.popleft()
                sites.append(at)
                for step in steps:
                    there = (at[0] + step[0], at[1] + step[1])
                    inside = 0 <= there[0] < layers and 0 <= there[1] < tokens
                    if inside and plane[there] and there not in seen:
                        seen.add(there)
                        queue.append(there)
            components.append(sites)
    return components


def plain_row(plane, sites):
    """size, area, span_tokens, span_layers, t_min, t_max, l_min, l_max, touches_edge."""
    ls, ts = zip(*sites, strict=True)
    edge = min(ts) == 0 or min(ls) == 0 or max(ts) == plane.shape[1] - 1 or max(ls) == plane.shape[0] - 1
    size = sum(int(plane[at]) for at in sites)
    spans = (max(ts) - min(ts) + 1, max(ls) - min(ls) + 1)
    return (size, len(sites), *spans, min(ts), max(ts), min(ls), max(ls), edge)


@given(lattices | sparse)
@pytest.mark.parametrize("adjacency", Adjacency)
def test_every_column_equals_the_plain_search(adjacency, counts):
    seq_id = np.arange(len(counts), dtype=np.int32) * 2 + 5
    expected = [
        (2 * n + 5, number, *plain_row(plane, sites))
        for n, plane in enumerate(counts)
        for number, sites in enumerate(plain_search(plane, STEPS[adjacency]))
    ]
    found = find_avalanches(counts, seq_id, adjacency).to_frame(3)
    assert list(found.itertuples(index=False, name=None)) == [(3, *row) for row in expected]


@given(lattices)
@pytest.mark.parametrize("adjacency", Adjacency)
def test_labels_are_the_ids_of_the_rows(adjacency, counts):
    labels = label_sites(counts, np.arange(len(counts), dtype=np.int32), adjacency)
    expected = np.full(counts.shape, EMPTY_SITE)
    for n, plane in enumerate(counts):
        for number, sites in enumerate(plain_search(plane, STEPS[adjacency])):
            expected[n][tuple(np.transpose(sites))] = number
    assert np.array_equal(labels, expected)


@given(lattices)
@pytest.mark.parametrize("adjacency", Adjacency)
def test_avalanches_divide_the_events_among_them(adjacency, counts):
    found = find_avalanches(counts, np.arange(len(counts), dtype=np.int32), adjacency)
    assert found.size.sum() == counts.sum()
    assert found.area.sum() == np.count_nonzero(counts)


def test_toy_raster_is_one_avalanche():
    raster = toy_raster()
    found = find_avalanches(raster.counts[0], raster.seq_id, Adjacency.ADJ_4N)
    assert found.to_frame(0).iloc[0].to_dict() == {
        "cond_id": 0,
        "seq_id": 0,
        "avalanche_id": 0,
        "size": 3,
        "area": 3,
        "span_tokens": 2,
        "span_layers": 2,
        "t_min": 1,
        "t_max": 2,
        "l_min": 1,
        "l_max": 2,
        "touches_edge": True,  # l = 2 is the last layer
    }


def test_dtypes_are_explicit_even_where_there_is_nothing():
    frames = [
        find_avalanches(counts, np.zeros(1, np.int32), Adjacency.ADJ_4N).to_frame(0)
        for counts in (np.zeros((1, 3, 4), np.uint16), np.ones((1, 3, 4), np.uint16))
    ]
    assert [len(frame) for frame in frames] == [0, 1]
    assert frames[0].dtypes.equals(frames[1].dtypes)
    assert frames[0].dtypes.drop(["size", "touches_edge"]).eq(np.int32).all()


def test_diagonal_sites_join_under_eight_neighbours_only():
    counts = np.eye(3, dtype=np.uint16)[None]
    seq_id = np.zeros(1, np.int32)
    assert [len(find_avalanches(counts, seq_id, adjacency)) for adjacency in STEPS] == [3, 1]


def test_neighbouring_sequences_never_join():
    counts = np.ones((5, 2, 3), np.uint16)
    found = find_avalanches(counts, np.arange(5, dtype=np.int32), Adjacency.ADJ_8N)
    assert found.seq_id.tolist() == [0, 1, 2, 3, 4]


def test_too_many_components_name_the_sequence_and_the_number():
    limit = CANON.CONST.CC_MAX_COMPONENTS_PER_SEQ_HARDFAIL
    counts = np.zeros((2, 1, 2 * (limit + 1)), np.uint16)
    counts[1, 0, : 2 * limit : 2] = 1
    seq_id = np.array([4, 31], np.int32)
    assert len(find_avalanches(counts, seq_id, Adjacency.ADJ_4N)) == limit
    counts[1, 0, 2 * limit] = 1
    with pytest.raises(DataError, match=f"sequence 31 has {limit + 1} components, more than {limit}"):
        find_avalanches(counts, seq_id, Adjacency.ADJ_4N)
