"""Occupancies drawn as bits against numpy on booleans, on rows of one word, of several, and that end within one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from critnb.canon import NullId
from critnb.criticality import branching_sums
from critnb.criticality.bit_sums import counted
from critnb.lattice import RASTER_NULLS, bit_blocks, bit_kernels, draw_null
from critnb.lattice.bits import pack, unpack
from critnb.lattice.randomness import words

PERM = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
STREAM = {"seed": 3, "condition_key": b"c"}
LENGTHS = (1, 2, 63, 64, 65, 128, 130, 200)
occupancies = hnp.arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 4), st.sampled_from(LENGTHS)))


@given(occupancies)
def test_bits_are_in_the_order_of_sites_and_the_padding_is_empty(occupied):
    tokens = occupied.shape[-1]
    bits = pack(occupied)
    site = np.arange(64 * bits.shape[-1])
    found = (bits[..., site // 64] >> (site % 64).astype(np.uint64)) & np.uint64(1)
    assert np.array_equal(found[..., :tokens], occupied)
    assert not found[..., tokens:].any()
    assert np.array_equal(unpack(bits, tokens), occupied)


@given(occupancies)
def test_sums_of_bits_are_those_of_the_occupancy(occupied):
    sums = np.empty((4, len(occupied)), dtype=np.int64)
    counted(pack(occupied), occupied.shape[-1], sums)
    for found, expected in zip(sums, branching_sums(occupied).arrays().values(), strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("null_id", RASTER_NULLS)
@pytest.mark.parametrize("length", LENGTHS)
def test_bits_are_where_the_counts_are(null_id, length):
    """From empty to full rows, each with many occupancies in between."""
    rng = np.random.default_rng(length)
    counts = (rng.random((5, 6, length)) < np.linspace(0, 1, 6)[:, None]).astype(np.uint16)
    given = {"tokens": rng.integers(0, 9, (5, length), dtype=np.int32), "replicates": range(3), **STREAM}
    seq_id = np.array([3, 1, 9, 12, 4], dtype=np.int32)
    drawn = draw_null(counts, seq_id, null_id, **given).reshape(-1, 6, length)
    bits = np.concatenate([block for _, block in bit_blocks(counts, seq_id, null_id, **given)])
    assert np.array_equal(bits, pack(drawn > 0))


@given(occupancies, st.integers(0, 2**32), st.data())
@settings(max_examples=40)
@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_bits_of_any_occupancy_are_where_the_counts_are(null_id, occupied, seed, data):
    """Of one window and one layer, too, and of rows that are empty or full."""
    n, _, length = occupied.shape
    seq_id = np.array(data.draw(st.permutations(range(1, n + 1))), dtype=np.int32)
    tokens = np.random.default_rng(seed).integers(0, 1 + length // 2, (n, length), dtype=np.int32)
    given = {"tokens": tokens, "replicates": [0, 7], "seed": seed, "condition_key": b"c"}
    drawn = draw_null(occupied.astype(np.uint16), seq_id, null_id, **given).reshape(-1, *occupied.shape[1:])
    bits = np.concatenate([block for _, block in bit_blocks(occupied, seq_id, null_id, **given)])
    assert np.array_equal(bits, pack(drawn > 0))


def test_a_permuted_row_occupies_the_sites_of_the_smallest_words():
    """Every number of events of a row against numpy's sort."""
    tokens = 100
    counts = (np.arange(tokens) < np.arange(tokens + 1)[:, None]).astype(np.uint16)[None]
    ((_, bits),) = bit_blocks(counts, np.array([7], dtype=np.int32), PERM, replicates=[5], **STREAM)
    from critnb.lattice.drawing import _window_keys

    (stream,) = _window_keys(np.array([7]), PERM, STREAM["seed"], STREAM["condition_key"])
    drawn = words(words(stream, 5), np.arange((tokens + 1) * tokens)).reshape(tokens + 1, tokens)
    rank = drawn.argsort(axis=1).argsort(axis=1)
    assert np.array_equal(unpack(bits, tokens)[0], rank < np.arange(tokens + 1)[:, None])


_LAST = 2**64 - 1


@given(st.sets(st.one_of(st.integers(0, 40), st.integers(0, _LAST), st.integers(_LAST - 40, _LAST)), min_size=2))
def test_the_sites_of_the_smallest_words_are_occupied_wherever_words_crowd(values):
    """A row for every number of sites that is not none and not all."""
    n, width = len(values), (len(values) + 63) // 64
    words_of_row, wanted = np.full(64 * width, _LAST, dtype=np.uint64), np.arange(1, n)
    words_of_row[:n] = list(values)
    rank = words_of_row[:n].argsort().argsort()
    rows, drawn = np.zeros((1, n - 1, width), dtype=np.uint64), np.tile(words_of_row, (n - 1, 1))
    cuts, below = np.tile(np.array([0, _LAST], dtype=np.uint64), (n - 1, 1)), np.tile([0, n], (n - 1, 1))
    unsettled = np.arange(n, dtype=np.uint64)
    bit_kernels._occupy_smallest(rows, 0, drawn, wanted[None], 0, cuts, below, unsettled, np.uint64(n - 1))
    assert np.array_equal(rows[0], pack(rank < wanted[:, None]))
