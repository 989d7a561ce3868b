"""Random members beside taken ones: never taken, all different, as many, and every set equally likely."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.stats import chisquare

from critnb.events.random_places import distinct_choices
from critnb.lattice.randomness import root_key, words


def keys(n):
    return words(root_key(5, b"test"), np.arange(n))


def test_as_many_as_are_taken_all_different_and_none_of_them():
    rng = np.random.default_rng(0)
    closed = rng.random((200, 30)) < rng.uniform(0, 0.5, size=(200, 1))
    closed[:, 15:] &= closed[:, 15:] & (np.cumsum(closed, axis=1)[:, 15:] <= 15)
    row, taken = np.nonzero(closed)
    at, chosen = distinct_choices(row, taken, keys(200), bound=30)
    assert not closed[at, chosen].any()
    assert len(set(zip(at, chosen, strict=True))) == len(at)
    k = closed.sum(axis=1)
    assert np.array_equal(np.bincount(at, minlength=200), np.minimum(k, 30 - k))


def test_every_set_is_equally_likely():
    n = 6000
    row, taken = np.repeat(np.arange(n), 2), np.tile([1, 4], n)
    at, chosen = distinct_choices(row, taken, keys(n), bound=6)
    assert np.array_equal(at, row)
    sets = [tuple(sorted(pair)) for pair in chosen.reshape(n, 2)]
    counts = [sets.count(pair) for pair in combinations((0, 2, 3, 5), 2)]
    assert sum(counts) == n
    assert chisquare(counts).pvalue > 0.001


def test_a_row_with_too_few_others_gives_all_of_them_and_nothing_taken_gives_nothing():
    at, chosen = distinct_choices(np.zeros(4, dtype=np.int64), np.arange(4), keys(1), bound=5)
    assert chosen.tolist() == [4]
    assert at.tolist() == [0]
    assert len(distinct_choices(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), keys(0), bound=5)[1]) == 0


def test_a_row_alone_gives_what_it_gives_among_others():
    rng = np.random.default_rng(1)
    row, taken = np.nonzero(rng.random((40, 9)) < 0.3)
    at, chosen = distinct_choices(row, taken, keys(40), bound=9)
    for each in range(40):
        own = taken[row == each]
        alone = distinct_choices(np.zeros(len(own), dtype=np.int64), own, keys(40)[[each]], bound=9)[1]
        assert np.array_equal(chosen[at == each], alone)
