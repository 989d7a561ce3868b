"""Nulls that are too sparse for long avalanches: pooled replicates, and how often avalanches live long."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critnb.canon import Adjacency, SizeDef
from critnb.criticality import AvalancheSample, Lattice, exponents, find_avalanches, multinomial_weights
from critnb.criticality.sizes.labelling import label_planes
from critnb.criticality.sizes.pooling import SURVIVAL_AT, NullSource, pool_null
from critnb.criticality.synthetic import bernoulli
from critnb.lattice import PRIMARY, draw_null
from critnb.lattice.randomness import root_key, words

ADJ, EVENTS = Adjacency.ADJ_4N, SizeDef.SIZE_EVENTS
N, LAYERS, TOKENS = 24, 6, 48
IDS = np.arange(N, dtype=np.int32)
LATTICE, WEIGHTS = Lattice(LAYERS, TOKENS, 1), multinomial_weights(N, 100, 1)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.sampled_from(Adjacency), st.integers(1, 5), st.integers(1, 7))
def test_compiled_labels_are_those_of_the_search_over_all_sequences(seed, density, adjacency, layers, tokens):
    rng = np.random.default_rng(seed)
    counts = (rng.integers(1, 4, (6, layers, tokens)) * (rng.random((6, layers, tokens)) < density)).astype(np.uint16)
    ids = np.arange(6, dtype=np.int32)
    twin = AvalancheSample.of(find_avalanches(counts, ids, adjacency), ids, EVENTS)
    found = label_planes(counts, adjacency)
    for each in fields(AvalancheSample):
        np.testing.assert_array_equal(getattr(found, each.name), getattr(twin, each.name))


def with_runs(length):
    """Sparse sites, and in every second window a run of tokens in one layer: durations that a permutation does not have."""
    counts = bernoulli(0.02, (N, LAYERS, TOKENS), seed=3).astype(np.uint16)
    for window, layer, start in zip(range(0, N, 2), np.arange(N) % LAYERS, np.arange(N) % 20, strict=False):
        for i in range(5):
            counts[window, (layer + i) % LAYERS, start : start + length + i] = 1
    return counts


def sample_of(counts):
    return AvalancheSample.of(find_avalanches(counts, IDS, ADJ), IDS, EVENTS)


def pooled(counts, replicates, sample=None):
    sample = sample_of(counts) if sample is None else sample
    real = exponents(sample, WEIGHTS, lattice=LATTICE, size_def=EVENTS)
    source = NullSource(counts, IDS, b"k", 7, ADJ)
    first = sample_of(replicate(counts, 0))
    return pool_null(
        source, first, real, sample, weights=WEIGHTS, lattice=LATTICE, size_def=EVENTS, replicates=replicates
    )


def replicate(counts, number):
    (drawn,) = draw_null(counts, IDS, PRIMARY, seed=7, condition_key=b"k", replicates=(number,))
    return drawn


def spread(durations, each):
    """A sample with ``each`` avalanches of every duration, in different windows, of size D ** 1.5."""
    duration = np.repeat(np.arange(3, 3 + durations), each)
    size = np.round(duration**1.5).astype(np.int64)
    return AvalancheSample(size, duration, np.arange(len(duration)) % N, np.zeros(len(duration), dtype=bool))


@pytest.mark.slow
def test_as_few_replicates_are_pooled_as_give_eight_durations_five_avalanches():
    counts = bernoulli(0.3, (N, LAYERS, TOKENS), seed=5).astype(np.uint16)
    found = pooled(counts, 1000, spread(8, 40))
    drawn = [sample_of(replicate(counts, i)) for i in range(found.relation_replicates)]
    of_all, inner = (
        np.cumsum([np.bincount(each.duration, minlength=TOKENS + 1)[3:11] for each in samples], axis=0)
        for samples in (drawn, [each.uncensored() for each in drawn])
    )
    first = [int((counted >= 5).all(axis=1).argmax()) for counted in (of_all, inner)]
    assert 0 < first[0] < first[1]
    assert (first[0] + 1, first[1] + 1) == (found.slope_replicates, found.relation_replicates)
    np.testing.assert_array_equal(found.exponents.crackling.n, of_all[first[0]])
    np.testing.assert_array_equal(found.exponents.gamma.n, inner[first[1]])
    assert np.isfinite(found.exponents.crackling.gamma)
    assert np.isnan(found.survival.p)


def test_what_no_replicate_has_is_told_by_survival():
    counts = with_runs(9)
    found = pooled(counts, 99, spread(8, 6))
    nulls = [sample_of(replicate(counts, i)) for i in range(99)]
    share = [[(getattr(each, name) >= SURVIVAL_AT).mean() for each in nulls] for name in ("duration", "size")]
    real = [(getattr(spread(8, 6), name) >= SURVIVAL_AT).mean() for name in ("duration", "size")]
    p = max((1 + sum(one >= value for one in of)) / 100 for of, value in zip(share, real, strict=True))
    assert np.isnan(found.exponents.crackling.gamma)
    assert found.survival.p == p == 0.01
    assert (found.survival.duration, found.survival.size) == tuple(real)
    assert (found.survival.null_duration, found.survival.null_size) == pytest.approx(tuple(np.mean(share, axis=1)))
    assert found.survival.replicates == 99
    # long ones of few events: every replicate has as many large ones, so the null explains the half of it
    assert pooled(counts, 99, replace(spread(8, 6), size=spread(8, 6).duration // 3)).survival.p == 1.0


def test_one_replicate_is_what_it_was_without_pooling():
    counts = bernoulli(0.3, (N, LAYERS, TOKENS), seed=5).astype(np.uint16)
    sample, first = sample_of(counts), sample_of(replicate(counts, 0))
    found = pooled(counts, 1)
    real = exponents(sample, WEIGHTS, lattice=LATTICE, size_def=EVENTS)
    plain = exponents(first, WEIGHTS, lattice=LATTICE, size_def=EVENTS, like=real)
    for name in ("tau_S", "alpha_D", "dcc"):
        ours, theirs = (getattr(each, name) for each in (found.exponents, plain))
        np.testing.assert_equal((ours.value, ours.interval), (theirs.value, theirs.interval))
    np.testing.assert_equal(found.exponents.crackling.slopes, plain.crackling.slopes)
    assert np.isnan(found.survival.p)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 5), (4, 1, 9)])
@pytest.mark.parametrize("value", [0, 1])
def test_nothing_to_pool_is_no_error(shape, value):
    counts = np.full(shape, value, dtype=np.uint16)
    ids, weights = np.arange(shape[0], dtype=np.int32), multinomial_weights(shape[0], 20, 1)
    sample = AvalancheSample.of(find_avalanches(counts, ids, ADJ), ids, EVENTS)
    lattice = Lattice(shape[1], shape[2], 1)
    real = exponents(sample, weights, lattice=lattice, size_def=EVENTS)
    source = NullSource(counts, ids, b"k", 7, ADJ)
    found = pool_null(source, sample, real, sample, weights=weights, lattice=lattice, size_def=EVENTS, replicates=5)
    assert np.isnan(found.survival.p)
    assert found.slope_replicates == 1


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.25), st.integers(1, 70))
def test_compiled_permutations_lay_events_in_the_order_of_the_words(seed, density, tokens):
    rng = np.random.default_rng(seed)
    counts = (rng.integers(1, 9, (3, 2, tokens)) * (rng.random((3, 2, tokens)) < density)).astype(np.uint16)
    drawn = draw_null(counts, IDS[:3], PRIMARY, seed=seed, condition_key=b"k", replicates=range(2))
    keys = words(words(root_key(seed, PRIMARY.encode(), b"k"), IDS[:3])[None], np.arange(2)[:, None])
    for r, n, layer in np.ndindex(2, 3, 2):
        order = np.argsort(words(keys[r, n], layer * tokens + np.arange(tokens)))
        row, expected = counts[n, layer], np.zeros(tokens, dtype=np.uint16)
        expected[order[: np.count_nonzero(row)]] = row[row > 0]
        np.testing.assert_array_equal(drawn[r, n, layer], expected)
