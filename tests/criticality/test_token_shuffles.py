"""The real raster against many shuffles of its tokens: rasters whose excess is known in advance, and a loop by hand."""

from dataclasses import replace

import numpy as np
import pytest

from critnb.canon import NullId
from critnb.criticality import branching_sums, expected_under_permutation
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.synthetic import bernoulli, persistent_rows
from critnb.criticality.synthetic.rasters import one_condition_raster
from critnb.criticality.token_shuffles import TokenShuffles, against_shuffles
from critnb.errors import DataError
from critnb.lattice import ConditionTable, Raster, concatenate
from critnb.lattice.randomness import below, root_key, words

N, L, T, S = 32, 8, 64, 20
DENSITY = 0.2


def shuffles_of(raster, occupied):
    """The shuffles whose occupancy bool [S, N, L, T] is given, of the raster's only condition."""
    sums, expected = branching_sums(occupied), expected_under_permutation(occupied)
    return TokenShuffles(
        raster.conditions,
        raster.seq_id[: occupied.shape[1]],
        sums[None],
        expected[None],
        occupied.sum(axis=(2, 3))[None],
        np.zeros((1, len(occupied)), dtype=np.int64),
    )


def compared(real, occupied, *, replicates=400, seed=1):
    raster = one_condition_raster(real.astype(np.uint16))
    found = against_shuffles(raster, shuffles_of(raster, occupied), replicates=replicates, seed=seed)
    return found.difference[0], found.interval.low[0], found.interval.high[0]


def test_of_order_that_means_nothing_the_interval_holds_zero():
    """The real raster is one more shuffle: in 40 samples at least 90 of 100 intervals hold zero."""
    held = 0
    for seed in range(40):
        drawn = bernoulli(DENSITY, (S + 1, N, L, T), seed)
        _, low, high = compared(drawn[0], drawn[1:])
        held += low <= 0 <= high
    assert held >= 36


def test_persistence_that_the_shuffle_breaks_is_found_with_its_size():
    """Markov rows have b_time = p + r (1 - p), b_depth = p; independent sites 2 p: the difference is r (1 - p)."""
    r = 0.3
    difference, low, high = compared(persistent_rows(DENSITY, r, (N, L, T), 5), bernoulli(DENSITY, (S, N, L, T), 6))
    assert low > 0
    assert low < r * (1 - DENSITY) < high
    assert difference == pytest.approx(r * (1 - DENSITY), abs=0.03)


def test_against_a_loop_over_replicates():
    real, occupied = persistent_rows(0.3, 0.1, (6, 3, 20), 2), bernoulli(0.3, (4, 6, 3, 20), 3)

    def excess(plane, weights):
        drawn = np.repeat(plane, weights, axis=0)
        sums = branching_sums(drawn).pooled().b_tot - expected_under_permutation(drawn).pooled().b_tot
        return float(sums)

    once = np.ones(6, dtype=int)
    mean = np.mean([excess(plane, once) for plane in occupied])
    weights = multinomial_weights(6, 50, 7)
    picks = below(words(root_key(7, NullId.NULL_TOKEN_SHUFFLE_INPUT.encode()), np.arange(50)), 4)
    resampled = [excess(real, w) - excess(occupied[pick], w) for w, pick in zip(weights, picks, strict=True)]
    difference, low, high = compared(real, occupied, replicates=50, seed=7)
    assert difference == pytest.approx(excess(real, once) - mean, abs=1e-12)
    assert (low, high) == pytest.approx(tuple(np.percentile(resampled, [2.5, 97.5])), abs=1e-12)
    assert set(picks.tolist()) == {0, 1, 2, 3}


def test_the_first_windows_alone_are_compared_and_other_conditions_have_nothing():
    real, occupied = bernoulli(DENSITY, (N, L, T), 1), bernoulli(DENSITY, (S, 8, L, T), 2)
    first = one_condition_raster(real.astype(np.uint16))
    shuffles = shuffles_of(one_condition_raster(real[:8].astype(np.uint16)), occupied)
    other = Raster(first.counts, ConditionTable([_at_gain(first, 1.1)]), first.seq_id)
    found = against_shuffles(concatenate([other, first]), shuffles, replicates=50, seed=1)
    alone = against_shuffles(one_condition_raster(real[:8].astype(np.uint16)), shuffles, replicates=50, seed=1)
    assert np.isnan([found.difference[0], found.n_shuffles[0], found.interval.low[0], found.excess[0]]).all()
    assert found.n_shuffles[1] == S
    assert found.difference[1] == alone.difference[0]
    assert found.interval.low[1] == alone.interval.low[0]


def _at_gain(raster, gain):
    return replace(raster.conditions[0], gain=gain)


def test_one_window_has_a_difference_and_no_interval():
    difference, low, high = compared(bernoulli(0.5, (1, L, T), 1), bernoulli(0.5, (S, 1, L, T), 2))
    assert np.isfinite(difference)
    assert np.isnan([low, high]).all()


def test_no_event_gives_nothing_and_nothing_changed_gives_zero():
    empty = np.zeros((N, L, T), dtype=bool)
    assert np.isnan(compared(empty, np.zeros((S, N, L, T), dtype=bool))).all()
    same = bernoulli(DENSITY, (N, L, T), 3)
    assert compared(same, np.repeat(same[None], S, axis=0)) == pytest.approx((0, 0, 0), abs=1e-12)


def test_the_table_is_read_back():
    raster = one_condition_raster(bernoulli(DENSITY, (5, L, T), 1).astype(np.uint16))
    stored = shuffles_of(raster, bernoulli(DENSITY, (3, 5, L, T), 2))
    read = TokenShuffles.from_frame(stored.to_frame())
    assert read.conditions == stored.conditions
    for name in ("seq_id", "events", "missed"):
        np.testing.assert_array_equal(getattr(read, name), getattr(stored, name))
    for name in ("sums", "expected"):
        for key, array in getattr(stored, name).arrays().items():
            np.testing.assert_array_equal(getattr(read, name).arrays()[key], array)
    with pytest.raises(DataError, match="rows are not one for each"):
        TokenShuffles.from_frame(stored.to_frame().iloc[1:])
    with pytest.raises(DataError, match="events is missing"):
        TokenShuffles.from_frame(stored.to_frame().drop(columns="events"))


def test_a_window_of_another_raster_is_refused():
    raster = one_condition_raster(bernoulli(DENSITY, (5, L, T), 1).astype(np.uint16))
    shuffles = shuffles_of(raster, bernoulli(DENSITY, (3, 5, L, T), 2))
    fewer = one_condition_raster(raster.counts[0, :4])
    with pytest.raises(DataError, match="window 4"):
        against_shuffles(fewer, shuffles, replicates=10, seed=1)
