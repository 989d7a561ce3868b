import io

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from critnb.canon import NullId
from critnb.criticality import BranchingSums, NullSample, branching_sums, compare, null_branching
from critnb.criticality.synthetic import bernoulli, persistent_rows
from critnb.errors import DataError
from critnb.lattice import RASTER_NULLS, draw_null

PERM, SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
STREAM = {"seed": 1337, "condition_key": b"c"}


@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_null_branching_is_the_branching_of_the_null_counts(null_id):
    counts = np.random.default_rng(0).poisson(0.4, (5, 3, 70)).astype(np.uint16)
    seq_id = np.array([3, 1, 9, 12, 4], dtype=np.int32)
    given = {"tokens": np.random.default_rng(1).integers(0, 9, (5, 70), dtype=np.int32), **STREAM}
    drawn = branching_sums(draw_null(counts, seq_id, null_id, replicates=range(6), **given))
    sums = null_branching(counts, seq_id, null_id, replicates=range(6), **given)
    halves = [null_branching(counts, seq_id, null_id, replicates=part, **given) for part in ([0, 1, 2], [3, 4, 5])]
    for name, array in sums.arrays().items():
        assert np.array_equal(array, drawn.arrays()[name])
        assert np.array_equal(array, np.concatenate([half.arrays()[name] for half in halves]))


def test_comparison_by_hand():
    result = compare(3.0, np.array([1.0, 2.0, 3.0, 2.0]))
    assert result.delta == 1.0
    assert result.null_mean == 2.0
    assert result.null_sd == pytest.approx(np.sqrt(2 / 3))
    assert result.z == pytest.approx(1 / np.sqrt(2 / 3))
    assert result.p_one_sided == 2 / 5
    assert result.reason is None


@pytest.mark.parametrize(
    ("value", "null", "reason"),
    [
        (np.nan, [1.0, 2.0], "value itself"),
        (1.0, [np.nan, np.nan], "0 of 2 null replicates"),
        (1.0, [np.nan, 2.0], "1 of 2 null replicates"),
    ],
)
def test_what_cannot_be_compared_says_why(value, null, reason):
    result = compare(value, np.array(null))
    assert np.isnan([result.delta, result.null_mean, result.null_sd, result.z, result.p_one_sided]).all()
    assert reason in result.reason


def test_nan_replicates_are_left_out():
    assert compare(3.0, np.array([1.0, np.nan, 2.0])) == compare(3.0, np.array([1.0, 2.0]))


def test_equal_replicates_have_no_z():
    result = compare(0.3, np.full(7, 0.1))
    assert result.null_sd == 0
    assert np.isnan(result.z)
    assert result.p_one_sided == 1 / 8
    assert "equal" in result.reason


def p_values(null_id, lattices, replicates=99):
    seq_id = np.arange(lattices.shape[1], dtype=np.int32)
    for number, x in enumerate(lattices):
        null = null_branching(x, seq_id, null_id, seed=number, condition_key=b"", replicates=range(replicates))
        yield compare(float(branching_sums(x).pooled().b_tot), null.pooled().b_tot).p_one_sided


def test_p_is_uniform_on_independent_sites():
    p = np.array(list(p_values(PERM, bernoulli(0.25, (600, 4, 4, 24), seed=11))))
    assert 0.03 <= np.mean(p <= 0.05) <= 0.07
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_p_of_the_shift_is_uniform_on_independent_sites():
    p = np.array(list(p_values(SHIFT, bernoulli(0.25, (600, 4, 4, 24), seed=12))))
    assert 0.03 <= np.mean(p <= 0.05) <= 0.07
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_persistence_is_seen_by_the_permutation_alone():
    """The shift keeps b_time but for the seam, at most one pair a row: its delta is one of depth only."""
    x = persistent_rows(0.3, 0.6, (48, 8, 128), seed=3)
    seq_id = np.arange(48, dtype=np.int32)
    real = branching_sums(x)
    perm, shift = (null_branching(x, seq_id, n, seed=1, condition_key=b"", replicates=range(50)) for n in (PERM, SHIFT))
    b_time = float(real.pooled().b_time)
    # Rows of 128 sites that persist vary in density (variance of k: 128 p q (1+r)/(1-r)), and the permutation keeps it.
    null = (0.7 * 1.6 / 0.4 + 128 * 0.3 - 1) / 127
    assert compare(b_time, perm.pooled().b_time).delta == pytest.approx(0.3 + 0.6 * 0.7 - null, abs=0.02)
    assert abs(compare(b_time, shift.pooled().b_time).delta) < 0.005
    assert np.abs(shift.time_pairs - real.time_pairs).max() <= 8


def test_the_seam_costs_the_shift_one_pair_in_each_row():
    """b_time of persistent rows falls by r (1-p) / (T-1) under the shift: small, and of known size."""
    x = persistent_rows(0.25, 0.4, (4_000, 4, 24), seed=12)
    null = null_branching(x, np.arange(4_000, dtype=np.int32), SHIFT, seed=1, condition_key=b"", replicates=range(5))
    lost = float(branching_sums(x).pooled().b_time) - null.pooled().b_time.mean()
    assert lost == pytest.approx(0.4 * 0.75 / 23, rel=0.15)


@pytest.fixture
def sample():
    counts = np.random.default_rng(0).poisson(0.4, (3, 5, 3, 20)).astype(np.uint16)
    seq_id = np.arange(5, dtype=np.int32)
    return NullSample.of(
        null_branching(c, seq_id, PERM, replicates=range(n), **STREAM) for c, n in zip(counts, (7, 3, 9), strict=True)
    )


def test_sample_keeps_replicates_and_sequence_means(sample):
    assert sample.replicates.tolist() == [7, 3, 9]
    assert np.isnan(sample.pooled.b_tot).sum(axis=1).tolist() == [2, 6, 0]
    assert sample.to_frame().groupby("cond_id").size().tolist() == [7, 3, 9]
    assert not sample.to_frame().isna().any(axis=None)
    assert sample.sequence_means.shape == (3, 5)
    # a permutation leaves the depth's denominator alone, so there the mean ratio is the ratio of means
    means = [each.mean() for each in sample.ratios("b_depth")]
    np.testing.assert_allclose(means, sample.sequence_means.pooled().b_depth, rtol=1e-13)


def test_sample_round_trip_through_files(sample):
    frame_file, npz_file = io.BytesIO(), io.BytesIO()
    sample.to_frame().to_parquet(frame_file)
    np.savez(npz_file, **sample.arrays())
    npz_file.seek(0)
    stored = NullSample.from_stored(pd.read_parquet(frame_file), np.load(npz_file))
    assert np.array_equal(stored.pooled.b_tot, sample.pooled.b_tot, equal_nan=True)
    assert np.array_equal(stored.replicates, sample.replicates)
    assert np.array_equal(stored.sequence_means.time_pairs, sample.sequence_means.time_pairs)


@pytest.mark.parametrize("change", [lambda f: f.iloc[:-1], lambda f: f.iloc[::-1], lambda f: f.iloc[:0]])
def test_a_sample_with_rows_missing_or_moved_is_an_error(sample, change):
    with pytest.raises(DataError, match="do not count the replicates"):
        NullSample.from_stored(change(sample.to_frame()), sample.arrays())


def test_null_branching_without_replicates_is_refused():
    with pytest.raises(DataError, match="replicate"):
        null_branching(np.ones((1, 1, 2), np.uint16), np.zeros(1, np.int32), PERM, replicates=[], **STREAM)


def test_joining_nothing_is_refused():
    with pytest.raises(DataError, match="nothing to join"):
        BranchingSums.stack([])
