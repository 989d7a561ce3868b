import numpy as np
import pytest

from critnb.canon import Adjacency, SizeDef
from critnb.criticality import find_avalanches
from critnb.criticality.sizes.sample import AvalancheSample, Lattice, per_sequence


def test_avalanches_keep_their_sequence_whatever_the_order_of_ids():
    counts = np.zeros((3, 3, 6), dtype=np.uint16)
    counts[0, 1, 1] = 4
    counts[2, 1, 2:4] = 3
    seq_id = np.array([9, 2, 5], dtype=np.int32)
    found = AvalancheSample.of(find_avalanches(counts, seq_id, Adjacency.ADJ_4N), seq_id, SizeDef.SIZE_EVENTS)
    assert found.sequence.tolist() == [0, 2]
    assert found.size.tolist() == [4, 6]
    assert found.duration.tolist() == [1, 2]


def test_sizes_are_events_or_sites():
    counts = np.zeros((1, 3, 6), dtype=np.uint16)
    counts[0, 1, 1:4] = 5
    seq_id = np.zeros(1, dtype=np.int32)
    found = find_avalanches(counts, seq_id, Adjacency.ADJ_4N)
    assert AvalancheSample.of(found, seq_id, SizeDef.SIZE_EVENTS).size.tolist() == [15]
    assert AvalancheSample.of(found, seq_id, SizeDef.SIZE_SITES).size.tolist() == [3]


def test_uncensored_are_those_off_every_edge():
    counts = np.zeros((1, 4, 8), dtype=np.uint16)
    counts[0, 0, 3] = counts[0, 2, 0] = counts[0, 1, 5] = counts[0, 3, 6] = 1
    seq_id = np.zeros(1, dtype=np.int32)
    found = AvalancheSample.of(find_avalanches(counts, seq_id, Adjacency.ADJ_4N), seq_id, SizeDef.SIZE_EVENTS)
    assert len(found) == 4
    assert len(found.uncensored()) == 1


@pytest.mark.parametrize(
    ("size_def", "inside", "largest"),
    [
        (SizeDef.SIZE_SITES, False, 8 * 128),
        (SizeDef.SIZE_SITES, True, 6 * 126),
        (SizeDef.SIZE_EVENTS, False, 8 * 128 * 384),
        (SizeDef.SIZE_EVENTS, True, 6 * 126 * 384),
    ],
)
def test_the_window_bounds_sizes(size_def, inside, largest):
    assert Lattice(8, 128, 384).largest_size(size_def, inside=inside) == largest


def test_the_window_bounds_durations():
    lattice = Lattice(8, 128, 384)
    assert (lattice.longest_duration(inside=False), lattice.longest_duration(inside=True)) == (128, 126)


@pytest.mark.parametrize("shape", [(1, 128), (2, 128), (8, 1)])
def test_a_lattice_without_an_inside_allows_nothing_there(shape):
    assert Lattice(*shape, 5).largest_size(SizeDef.SIZE_EVENTS, inside=True) == 0


def test_sums_per_sequence():
    sequence = np.array([0, 2, 2])
    assert per_sequence(sequence, None, 4).tolist() == [1, 0, 2, 0]
    assert per_sequence(sequence, np.array([1.5, 2.0, 3.0]), 4).tolist() == [1.5, 0, 5, 0]
