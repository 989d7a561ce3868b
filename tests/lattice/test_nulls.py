from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from lattice.null_blocks import occupancy_blocks
from scipy import stats

from critnb.canon import DatasetRole, Intervention, ModelRole, NullId, SpikeDef
from critnb.errors import DataError
from critnb.lattice import (
    PRIMARY,
    RASTER_NULLS,
    SECONDARY,
    Condition,
    ConditionTable,
    Raster,
    RasterNull,
    draw_null,
    drawing,
    marginals_exact,
    null_of,
    null_raster,
    token_shuffle_order,
)

PERM, SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
ONE = Condition(ModelRole.BASE, DatasetRole.A, SpikeDef.SPIKE_ONE_SIDED_POS, 2e-5, 0.7, Intervention.MLP_GLOBAL)
STREAM = {"seed": 1337, "condition_key": ONE.key()}

# the nulls whose rows are the real ones, with their counts in another order
OF_ROWS = (PERM, SHIFT, NullId.NULL_RASTER_FIXED_MARGINS)
# those of which a window is drawn from itself alone
OF_WINDOWS = [null_id for null_id, null in RASTER_NULLS.items() if not null.reads_tokens]

planes = hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=st.integers(0, 3))


def ids(n):
    return np.arange(n, dtype=np.int32) * 3 + 1


def words_of(counts):
    """Token ids [N, T] of counts [..., N, L, T]: a few that come often, and some that no other window has."""
    n, _, length = counts.shape[-3:]
    place = np.arange(n * length).reshape(n, length)
    return np.where(place % 7 == 0, place + 10, place % 5).astype(np.int32)


@given(planes)
@pytest.mark.parametrize("null_id", OF_ROWS)
def test_each_row_keeps_its_multiset(null_id, counts):
    drawn = draw_null(counts, ids(len(counts)), null_id, replicates=range(3), **STREAM)
    assert drawn.shape == (3, *counts.shape)
    assert drawn.dtype == np.uint16
    assert np.array_equal(np.sort(drawn, axis=-1), np.broadcast_to(np.sort(counts, axis=-1), drawn.shape))


@given(planes)
def test_shift_keeps_the_circular_autocorrelation(counts):
    drawn = draw_null(counts, ids(len(counts)), SHIFT, replicates=[4], **STREAM)[0]
    for lag in range(counts.shape[-1]):
        assert np.array_equal((drawn * np.roll(drawn, lag, -1)).sum(-1), (counts * np.roll(counts, lag, -1)).sum(-1))


@given(planes)
@settings(max_examples=40)
@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_occupancy_path_equals_the_counts(null_id, counts):
    given = {"tokens": words_of(counts), "replicates": [0, 5], **STREAM}
    drawn = draw_null(counts, ids(len(counts)), null_id, **given)
    blocks = occupancy_blocks(counts, ids(len(counts)), null_id, **given)
    assert np.array_equal(np.concatenate([block for _, block in blocks]), (drawn > 0).reshape(-1, *counts.shape[1:]))


@pytest.mark.parametrize("null_id", OF_WINDOWS)
def test_a_shard_alone_equals_the_shard_in_the_batch(null_id):
    counts = np.random.default_rng(1).poisson(1.0, (6, 3, 20)).astype(np.uint16)
    seq_id = ids(6)
    batch = draw_null(counts, seq_id, null_id, replicates=range(8), **STREAM)
    backwards = draw_null(counts[::-1], seq_id[::-1], null_id, replicates=range(7, -1, -1), **STREAM)
    alone = draw_null(counts[4:5], seq_id[4:5], null_id, replicates=[6], **STREAM)
    assert np.array_equal(backwards[::-1, ::-1], batch)
    assert np.array_equal(alone[0, 0], batch[6, 4])


@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_a_replicate_is_the_same_whatever_the_order_of_windows_and_replicates(null_id):
    counts = np.random.default_rng(1).poisson(1.0, (6, 3, 20)).astype(np.uint16)
    tokens, order = words_of(counts), np.array([3, 0, 5, 1, 4, 2])
    batch = draw_null(counts, ids(6), null_id, replicates=range(8), tokens=tokens, **STREAM)
    moved = draw_null(counts[order], ids(6)[order], null_id, replicates=[6, 2], tokens=tokens[order], **STREAM)
    assert np.array_equal(moved, batch[[6, 2]][:, order])


@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_the_size_of_blocks_changes_nothing(null_id, monkeypatch):
    counts = np.random.default_rng(2).poisson(0.4, (5, 4, 30)).astype(np.uint16)
    given = {"tokens": words_of(counts), "replicates": range(4), **STREAM}
    whole = draw_null(counts, ids(5), null_id, **given)
    monkeypatch.setattr(drawing, "_BLOCK_SITES", 300)
    assert np.array_equal(draw_null(counts, ids(5), null_id, **given), whole)


@pytest.mark.parametrize("null_id", RASTER_NULLS)
@pytest.mark.parametrize("other", [{"seed": 1338}, {"condition_key": replace(ONE, gain=0.8).key()}])
def test_seed_and_condition_change_the_draw(null_id, other):
    counts = np.random.default_rng(3).poisson(1.0, (4, 3, 64)).astype(np.uint16)
    given = {"tokens": words_of(counts), "replicates": [0]}
    drawn = [draw_null(counts, ids(4), null_id, **given, **stream) for stream in (STREAM, STREAM | other)]
    assert not np.array_equal(*drawn)


def test_permutations_are_uniform():
    counts = np.arange(1, 5, dtype=np.uint16).reshape(1, 1, 4)
    drawn = draw_null(counts, ids(1), PERM, replicates=range(24_000), **STREAM).reshape(-1, 4)
    _, found = np.unique(drawn, axis=0, return_counts=True)
    assert len(found) == 24
    assert stats.chisquare(found).pvalue > 1e-3


def test_offsets_are_uniform_and_never_zero():
    counts = np.zeros((1, 2, 9), dtype=np.uint16)
    counts[..., 0] = 1
    offsets = draw_null(counts, ids(1), SHIFT, replicates=range(8_000), **STREAM).argmax(axis=-1).reshape(-1, 2)
    both = np.zeros((9, 9), dtype=int)
    np.add.at(both, tuple(offsets.T), 1)
    assert both[0].sum() == both[:, 0].sum() == 0
    assert stats.chisquare(both[1:, 1:].ravel()).pvalue > 1e-3  # the two rows' offsets are independent, too


def test_shift_rolls_whole_rows():
    counts = np.arange(1, 8, dtype=np.uint16).reshape(1, 1, 7)
    row = draw_null(counts, ids(1), SHIFT, replicates=[0], **STREAM)[0, 0, 0]
    assert any(np.array_equal(row, np.roll(counts[0, 0], offset)) for offset in range(1, 7))


@pytest.mark.parametrize("null_id", OF_ROWS)
def test_rows_of_one_token_stay(null_id):
    counts = np.array([[[3], [0]]], dtype=np.uint16)
    assert np.array_equal(draw_null(counts, ids(1), null_id, replicates=[0], **STREAM)[0], counts)


@pytest.fixture
def raster():
    counts = np.random.default_rng(4).poisson(0.7, (2, 3, 4, 16)).astype(np.uint16)
    return Raster(counts, ConditionTable([ONE, replace(ONE, gain=1.0)]), ids(3), words_of(counts))


@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_null_raster_is_a_replicate_of_each_condition(raster, null_id):
    null = null_raster(raster, null_id, seed=1337, replicate=5)
    assert [c.null_id for c in null.conditions] == [null_id] * 2
    given = {"tokens": raster.tokens, "replicates": [5], **STREAM}
    one = draw_null(raster.counts[0], raster.seq_id, null_id, **given)[0]
    assert np.array_equal(null.counts[0], one)
    assert marginals_exact(raster, null).tolist() == [True, True]


def test_marginals_tell_a_single_changed_count(raster):
    null = null_raster(raster, PERM, seed=1)
    null.counts[1, 2, 3, 0] += 1
    assert marginals_exact(raster, null).tolist() == [True, False]


def test_marginals_tell_rows_that_were_swapped(raster):
    counts = raster.counts.copy()
    counts[0, 0, :2] = [[1] * 16, [2] * 16]
    swapped = counts.copy()
    swapped[0, 0, :2] = counts[0, 0, 1::-1]
    marked = ConditionTable(condition.with_null(PERM) for condition in raster.conditions)
    same = marginals_exact(replace(raster, counts=counts), Raster(swapped, marked, raster.seq_id))
    assert same.tolist() == [False, True]


def test_marginals_need_the_same_windows(raster):
    with pytest.raises(DataError, match="same conditions and windows"):
        marginals_exact(raster, replace(raster, seq_id=ids(3) + np.int32(1)))


UNREGISTERED = [NullId.NULL_NONE, NullId.NULL_TOKEN_SHUFFLE_INPUT]


@pytest.mark.parametrize("null_id", UNREGISTERED)
def test_a_null_that_is_not_registered_is_refused_by_its_name(raster, null_id):
    drawn = {"replicates": [0], **STREAM}
    for draw in (
        lambda: null_raster(raster, null_id, seed=1),
        lambda: draw_null(raster.counts[0], raster.seq_id, null_id, **drawn),
        lambda: list(occupancy_blocks(raster.counts[0], raster.seq_id, null_id, **drawn)),
        lambda: null_of(null_id),
    ):
        with pytest.raises(DataError, match=f"{null_id} does not act on rasters"):
            draw()


def test_marginals_of_a_null_that_is_not_registered_are_refused(raster):
    with pytest.raises(DataError, match="NULL_NONE does not act on rasters"):
        marginals_exact(raster, raster)


def test_every_null_of_the_registry_is_told_apart_by_each_of_its_names():
    for name in ("short", "name", "noun", "rastered"):
        assert len({getattr(null, name) for null in RASTER_NULLS.values()}) == len(RASTER_NULLS)
    assert all(null.null_id is null_id and null.short.isidentifier() for null_id, null in RASTER_NULLS.items())
    assert [PRIMARY, *(null.null_id for null in SECONDARY)] == list(RASTER_NULLS)


@pytest.fixture
def of_tokens(monkeypatch):
    """A null that is read off the token ids alone: it puts as many events at a site as the token's id says."""
    null = RasterNull(
        NullId.NULL_TOKEN_SHUFFLE_INPUT, short="ids", name="ids", noun="ids", rastered="ids", breaks="", keeps="",
        kept=lambda real, null: real.counts.shape == null.shape, reads_tokens=True,
        draw=lambda source: lambda sequence, keys: np.repeat(
            source.tokens[sequence, None].astype(np.uint16), source.counts.shape[1], axis=1
        ),
    )  # fmt: skip
    monkeypatch.setitem(RASTER_NULLS, null.null_id, null)
    return null.null_id


def test_a_null_that_reads_tokens_gets_those_of_its_windows(raster, of_tokens):
    tokens = np.arange(48, dtype=np.int32).reshape(3, 16)
    null = null_raster(replace(raster, tokens=tokens), of_tokens, seed=1)
    assert np.array_equal(null.counts, np.broadcast_to(tokens[None, :, None], raster.counts.shape))
    blocks = occupancy_blocks(raster.counts[0], raster.seq_id, of_tokens, tokens=tokens, replicates=[0, 1], **STREAM)
    drawn = np.concatenate([block for _, block in blocks])
    assert np.array_equal(drawn, np.tile(null.counts[0] > 0, (2, 1, 1)))


def test_a_null_that_reads_tokens_is_refused_where_there_are_none(raster, of_tokens):
    with pytest.raises(DataError, match="NULL_TOKEN_SHUFFLE_INPUT is drawn from the token ids"):
        null_raster(replace(raster, tokens=None), of_tokens, seed=1)


@given(hnp.arrays(np.bool_, st.integers(0, 40)), st.integers(0, 1000))
def test_token_shuffle_moves_interior_plain_tokens_only(special, seq_id):
    order = token_shuffle_order(special, seed=1337, seq_id=seq_id)
    fixed = special.copy()
    fixed[:1] = fixed[-1:] = True
    assert sorted(order) == list(range(len(special)))
    assert np.array_equal(order[fixed], np.flatnonzero(fixed))


def test_token_shuffle_is_uniform_over_windows():
    special = np.array([False, False, True, False, False, False])
    orders = [tuple(token_shuffle_order(special, seed=1337, seq_id=i)[[1, 3, 4]]) for i in range(6_000)]
    _, found = np.unique(orders, axis=0, return_counts=True)
    assert len(found) == 6
    assert stats.chisquare(found).pvalue > 1e-3


def test_token_shuffle_leaves_its_argument_alone():
    special = np.zeros(8, dtype=bool)
    token_shuffle_order(special, seed=1, seq_id=0)
    assert not special.any()


LAYERS = NullId.NULL_RASTER_LAYER_ORDER


@given(planes)
def test_layer_order_moves_whole_rows(counts):
    drawn = draw_null(counts, ids(len(counts)), LAYERS, replicates=range(3), **STREAM)
    for window, real in zip(drawn.reshape(-1, *counts.shape[1:]), np.tile(counts, (3, 1, 1)), strict=True):
        assert sorted(map(tuple, window)) == sorted(map(tuple, real))


def test_layer_orders_are_uniform():
    counts = np.arange(1, 5, dtype=np.uint16).reshape(1, 4, 1)
    drawn = draw_null(counts, ids(1), LAYERS, replicates=range(24_000), **STREAM).reshape(-1, 4)
    found = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(found) == 24
    assert stats.chisquare(found).pvalue > 1e-3


def test_layer_order_tells_a_row_that_is_none_of_the_window_s(raster):
    null = null_raster(raster, LAYERS, seed=1)
    assert marginals_exact(raster, null).tolist() == [True, True]
    null.counts[1, 2, 0] = np.roll(null.counts[1, 2, 0], 1)
    assert marginals_exact(raster, null).tolist() == [True, False]


def test_further_shuffles_differ_from_one_another_and_leave_the_kept_one_as_it_is():
    special = np.zeros(64, dtype=bool)
    special[[5, 9]] = True
    kept = token_shuffle_order(special, seed=1, seq_id=3)
    orders = [token_shuffle_order(special, seed=1, seq_id=3, shuffle=number) for number in range(20)]
    assert len({tuple(order) for order in (kept, *orders)}) == 21
    for order in orders:
        assert sorted(order) == list(range(64))
        assert order[[0, 5, 9, 63]].tolist() == [0, 5, 9, 63]
    again = token_shuffle_order(special, seed=1, seq_id=3, shuffle=7)
    np.testing.assert_array_equal(again, orders[7])
