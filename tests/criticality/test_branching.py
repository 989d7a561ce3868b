import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from critnb.canon import NullId
from critnb.criticality import (
    BranchingSums,
    branching_sums,
    empty_sequences,
    expected_under_permutation,
    null_branching,
)
from critnb.criticality.synthetic import bernoulli, persistent_rows, toy_raster
from critnb.errors import DataError

PERM, SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
lattices = hnp.arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 140)))


def plain_sums(x):
    """The definition, site by site, over [N, L, T]."""
    n, layers, tokens = x.shape
    out = np.zeros((4, n), dtype=int)
    for seq, layer, token in np.argwhere(x):
        if token < tokens - 1:
            out[:2, seq] += x[seq, layer, token + 1], 1
        if layer < layers - 1:
            out[2:, seq] += x[seq, layer + 1, token], 1
    return out


@given(lattices)
def test_sums_equal_the_plain_loop(x):
    assert np.array_equal(list(branching_sums(x).arrays().values()), plain_sums(x))


@pytest.mark.parametrize("tokens", [63, 64, 65, 127, 128, 129, 200])
def test_pairs_across_word_borders(tokens):
    full = branching_sums(np.ones((2, 3, tokens), dtype=np.uint16))
    assert full.time_pairs.tolist() == full.time_sites.tolist() == [3 * (tokens - 1)] * 2
    assert full.depth_pairs.tolist() == full.depth_sites.tolist() == [2 * tokens] * 2


def test_toy_raster():
    b = branching_sums(toy_raster().counts[0]).pooled()
    assert (b.b_time, b.b_depth, b.b_tot) == (1 / 3, 1 / 2, 1 / 3 + 1 / 2)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_leading_axes_are_batches(leading):
    x = bernoulli(0.4, (*leading, 4, 5, 70), seed=1)
    sums = branching_sums(x)
    assert sums.shape == (*leading, 4)
    for index in np.ndindex(*leading):
        assert np.array_equal(list(sums[index].arrays().values()), plain_sums(x[index]))


def test_pooled_sums_before_it_divides():
    x = np.zeros((2, 1, 4), dtype=bool)
    x[0, 0, :2] = x[1, 0, 0] = True  # 1 pair of 2 sites, 0 pairs of 1 site
    assert branching_sums(x).pooled().b_time == 1 / 3


@pytest.mark.parametrize("density", [0.1, 0.35, 0.8])
def test_independent_sites_branch_at_their_density(density):
    b = branching_sums(bernoulli(density, (400, 8, 128), seed=7)).pooled()
    # Pairs that share a site are positively correlated: their ratio's variance is below 3 p(1-p) / (p n).
    error = 4 * np.sqrt(3 * (1 - density) / (400 * 7 * 127))
    assert abs(b.b_time - density) < error
    assert abs(b.b_depth - density) < error


def test_persistent_rows_branch_in_time_only():
    b = branching_sums(persistent_rows(0.3, 0.5, (400, 8, 128), seed=7)).pooled()
    assert b.b_time == pytest.approx(0.3 + 0.5 * 0.7, abs=0.01)
    assert b.b_depth == pytest.approx(0.3, abs=0.01)


def test_rows_that_cannot_be_are_an_error():
    with pytest.raises(DataError, match="do not go together"):
        persistent_rows(0.5, -1.5, (1, 4), seed=0)


@pytest.mark.parametrize(
    ("x", "b_time", "b_depth"),
    [
        (np.zeros((2, 3, 4), bool), np.nan, np.nan),
        (np.ones((2, 3, 4), bool), 1.0, 1.0),
        (np.ones((2, 1, 4), bool), 1.0, np.nan),
        (np.ones((2, 3, 1), bool), np.nan, 1.0),
        (np.ones((2, 1, 1), bool), np.nan, np.nan),
    ],
)
def test_what_has_no_successor_is_nan(x, b_time, b_depth):
    b = branching_sums(x).pooled()
    np.testing.assert_equal([float(b.b_time), float(b.b_depth)], [b_time, b_depth])
    np.testing.assert_equal(float(b.b_tot), b_time + b_depth)
    assert branching_sums(x).weighted(np.ones((3, 2), dtype=np.int64)).b_tot.shape == (3,)


def test_weights_stand_for_repeated_sequences():
    x = bernoulli(0.3, (2, 5, 4, 40), seed=3)
    weights = np.array([[1, 1, 1, 1, 1], [0, 3, 0, 0, 2]])
    resampled = branching_sums(x).weighted(weights)
    repeated = branching_sums(x[:, [1, 1, 1, 4, 4]]).pooled()
    assert resampled.b_time[1] == pytest.approx(repeated.b_time, rel=1e-14)
    assert resampled.b_depth[1] == pytest.approx(repeated.b_depth, rel=1e-14)
    assert resampled.b_tot[0] == pytest.approx(branching_sums(x).pooled().b_tot, rel=1e-14)


def test_shards_join_to_the_whole():
    x = bernoulli(0.3, (6, 4, 40), seed=3)
    joined = BranchingSums.concatenate([branching_sums(x[:2]), branching_sums(x[2:])])
    assert np.array_equal(joined.time_pairs, branching_sums(x).time_pairs)
    assert BranchingSums.stack([joined, joined]).pooled().b_tot.shape == (2,)


def test_sums_of_different_shapes_are_an_error():
    one, two = np.zeros(1), np.zeros(2)
    with pytest.raises(DataError, match="one shape"):
        BranchingSums(one, one, two, one)


def test_closed_form_of_a_row_by_hand():
    x = np.zeros((1, 2, 5), dtype=bool)
    x[0, 0, :3] = x[0, 1, :2] = True
    expected = expected_under_permutation(x)
    # k = 3 and 2 of T = 5: pairs (3*2 + 2*1)/5, sites (3 + 2)*4/5, depth pairs 3*2/5, depth sites 3
    assert [float(a[0]) for a in expected.arrays().values()] == pytest.approx([1.6, 4.0, 1.2, 3.0])


def test_closed_form_equals_the_monte_carlo_mean():
    x = persistent_rows(0.3, 0.6, (5, 4, 30), seed=2).astype(np.uint16)
    drawn = null_branching(x, np.arange(5, dtype=np.int32), PERM, seed=1, condition_key=b"c", replicates=range(4_000))
    for name, expected in expected_under_permutation(x).arrays().items():
        values = drawn.arrays()[name]
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        assert np.all(np.abs(values.mean(axis=0) - expected) <= 4 * error + 1e-12), name


def test_empty_sequences_are_counted():
    x = np.zeros((2, 4, 3, 5), dtype=np.uint16)
    x[0, 1, 2, 3] = 2
    assert empty_sequences(x).tolist() == [3, 4]
