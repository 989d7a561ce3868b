"""The null with fixed margins against every arrangement that there is, a plain-Python twin, and data drawn from it."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from lattice.null_blocks import occupancy_blocks
from scipy import stats

from critnb.canon import CANON, NullId
from critnb.lattice import draw_null, kernels
from critnb.lattice.bits import pack
from critnb.lattice.randomness import words

MARGINS = NullId.NULL_RASTER_FIXED_MARGINS
STREAM = {"seed": 5, "condition_key": b"c"}


def ids(n):
    return np.arange(n, dtype=np.int32)


def arrangements(x):
    """Every 0-1 matrix with the margins of x [L, T]."""
    every = np.array(list(product((0, 1), repeat=x.size))).reshape(-1, *x.shape)
    same = (every.sum(2) == x.sum(1)).all(1) & (every.sum(1) == x.sum(0)).all(1)
    return every[same]


def replicates(x, n):
    """n replicates of one window, each from a hub of its own: windows that differ in nothing but their ids."""
    (drawn,) = draw_null(np.repeat(x[None].astype(np.uint16), n, axis=0), ids(n), MARGINS, replicates=[0], **STREAM)
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        ["1100", "1010", "0001"],
        ["1110", "0111", "1000"],
        ["10100", "01100", "00011", "10000"],
        ["110", "110", "001", "001", "100"],
    ],
)
def test_every_arrangement_is_equally_likely(rows):
    x = np.array([list(map(int, row)) for row in rows])
    every = arrangements(x)
    assert len(every) > 5
    code = 2 ** np.arange(x.size)
    drawn = replicates(x, 30_000).reshape(-1, x.size) @ code
    found = [np.count_nonzero(drawn == one) for one in every.reshape(-1, x.size) @ code]
    assert sum(found) == 30_000
    assert stats.chisquare(found).pvalue > 1e-3


@pytest.mark.parametrize(
    "x",
    [
        np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]),  # nested rows
        np.ones((3, 4), int),
        np.zeros((3, 4), int),
        np.array([[1, 0, 1, 0, 1]]),  # one layer
        np.array([[1], [0], [1]]),  # one token
    ],
)
def test_a_window_with_one_arrangement_comes_back(x):
    assert len(arrangements(x)) == 1
    assert np.array_equal(replicates(x, 5), np.repeat(x[None], 5, axis=0))


def test_counts_of_a_row_lie_on_its_sites_in_every_order():
    x = np.array([[1, 2, 3, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    drawn = replicates(x, 24_000)
    orders = [tuple(row[row > 0]) for row in drawn[:, 0]]
    found = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(found) == 6
    assert stats.chisquare(found).pvalue > 1e-3


@given(
    hnp.arrays(
        np.uint16, st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 150)), elements=st.integers(0, 2)
    )
)
@settings(max_examples=60)
def test_both_margins_and_every_row_s_counts_are_kept(counts):
    drawn = draw_null(counts, ids(len(counts)), MARGINS, replicates=range(3), **STREAM)
    assert np.array_equal(np.sort(drawn, axis=-1), np.broadcast_to(np.sort(counts, axis=-1), drawn.shape))
    assert np.array_equal((drawn > 0).sum(-2), np.broadcast_to((counts > 0).sum(-2), (3, *counts[:, 0].shape)))


def plain_trades(rows, trades, key):
    """The chain in plain Python, on sets of tokens; a trade deals the tokens out that one of two layers has alone."""
    taken = iter(range(10**9))

    def word():
        return int(words(np.uint64(key), next(taken)))

    rows, order = [set(row) for row in rows], list(range(len(rows)))
    for _ in range(trades):
        for last in range(len(rows) - 1, 0, -1):
            pick = (word() >> 32) * (last + 1) >> 32
            order[last], order[pick] = order[pick], order[last]
        for pair in range(len(rows) // 2):
            one, other = order[2 * pair], order[2 * pair + 1]
            apart, shared = sorted(rows[one] ^ rows[other]), rows[one] & rows[other]
            wanted = len(rows[one] - shared)
            if wanted in (0, len(apart)):
                continue
            dealt, half = set(), []
            for place, token in enumerate(apart):
                if not half:
                    drawn = word()
                    half = [drawn & 0xFFFFFFFF, drawn >> 32]
                if half.pop() * (len(apart) - place) >> 32 < wanted - len(dealt):
                    dealt.add(token)
            rows[one], rows[other] = shared | dealt, shared | (set(apart) - dealt)
    return rows


@pytest.mark.parametrize("shape", [(2, 70), (5, 64), (6, 130), (3, 9), (9, 63), (4, 200)])
def test_the_chain_is_its_plain_twin(shape):
    """Rows of few and of many sites: the first is empty, and the last is full."""
    x = np.random.default_rng(1).random(shape) < np.linspace(0, 1, shape[0] + 2)[1:-1, None]
    if shape[0] > 3:
        x[0], x[-1] = False, True
    found = pack(x)
    kernels.trade_planes(found[None], 4, np.array([99], dtype=np.uint64))
    twin = plain_trades([np.flatnonzero(row) for row in x], 4, 99)
    expected = np.array([[t in row for t in range(shape[1])] for row in twin])
    assert np.array_equal(found, pack(expected))
    assert not np.array_equal(expected, x)


def test_a_replicate_lies_as_many_trades_beyond_the_hub_as_the_hub_lies_beyond_the_real_window():
    x, k = np.random.default_rng(2).random((4, 100)) < 0.3, CANON.CONST.MARGIN_TRADES
    block = next(iter(occupancy_blocks(x[None], ids(1), MARGINS, replicates=[3], **STREAM)))[1]
    from critnb.lattice.drawing import _window_keys

    stream = _window_keys(ids(1), MARGINS, STREAM["seed"], STREAM["condition_key"])
    planes = pack(x)[None]
    kernels.trade_planes(planes, k, words(stream, 1 << 63))
    kernels.trade_planes(planes, k, words(words(stream, 3), 0))
    assert np.array_equal(pack(block[0]), planes[0])


def test_p_values_of_rasters_drawn_from_the_null_are_uniform():
    """However few trades: the p-value is exact. Data are arrangements drawn far from a window with much structure."""
    start = np.repeat(np.random.default_rng(3).random((4, 40)) < 0.3, 2, axis=0)
    n, reps = 1_500, 19
    data = np.repeat(pack(start)[None], n, axis=0)
    kernels.trade_planes(data, 60, words(np.uint64(7), np.arange(n)))
    bits = np.unpackbits(data.view(np.uint8), axis=-1, bitorder="little")[..., :40].astype(np.uint16)
    drawn = draw_null(bits, ids(n), MARGINS, replicates=range(reps), **STREAM)
    pairs = [(each[..., :-1, :] & each[..., 1:, :]).sum((-1, -2)) for each in (bits, drawn)]
    ties = np.random.default_rng(4).random((reps + 1, n))
    rank = ((pairs[1] + ties[1:]) >= (pairs[0] + ties[0])).sum(axis=0)
    assert stats.chisquare(np.bincount(rank, minlength=reps + 1)).pvalue > 1e-3
