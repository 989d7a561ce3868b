import numpy as np
import pytest

from critnb.canon import CANON, Adjacency, SizeDef
from critnb.criticality import find_avalanches, multinomial_weights
from critnb.criticality.sizes.crackling import crackling
from critnb.criticality.sizes.sample import AvalancheSample
from critnb.criticality.synthetic import bernoulli, poisson_branching

CONST = CANON.CONST


def sample(size, duration, sequence=None) -> AvalancheSample:
    size, duration = np.asarray(size), np.asarray(duration)
    sequence = np.arange(len(size)) if sequence is None else np.asarray(sequence)
    return AvalancheSample(size, duration, sequence, np.zeros(len(size), dtype=np.bool_))


def spread(sizes_of, durations, per_point, n_sequences):
    """per_point avalanches of each duration, dealt to the sequences in turn."""
    duration = np.repeat(durations, per_point)
    return sample(sizes_of(duration), duration, np.arange(len(duration)) % n_sequences)


def weights(n, replicates=300):
    return multinomial_weights(n, replicates, seed=1337)


def test_an_exact_power_gives_its_exponent():
    found = crackling(spread(lambda d: d**2, np.arange(3, 20), 10, 30), weights(30))
    assert found.gamma == pytest.approx(2.0, abs=1e-12)
    assert found.r2 == pytest.approx(1.0)
    assert len(found.durations) == 17


def test_slope_is_numpys_fit_of_the_mean_sizes():
    rng = np.random.default_rng(0)
    duration = rng.integers(1, 30, 2000)
    size = duration + rng.poisson(duration**1.4)
    found = crackling(sample(size, duration, rng.integers(0, 40, 2000)), weights(40))
    points = np.arange(3, 30)
    means = [size[duration == d].mean() for d in points]
    slope, _ = np.polyfit(np.log(points), np.log(means), 1)
    assert found.gamma == pytest.approx(slope, abs=1e-12)
    np.testing.assert_allclose(found.mean_size, means)
    assert found.n.tolist() == [int((duration == d).sum()) for d in points]


def test_replicates_repeat_whole_sequences():
    rng = np.random.default_rng(1)
    duration, sequence = rng.integers(1, 16, 900), rng.integers(0, 12, 900)
    size = duration + rng.poisson(duration**1.5 * (1 + sequence % 3))
    drawn = weights(12, replicates=20)
    found = crackling(sample(size, duration, sequence), drawn)
    for row, slope in zip(drawn, found.slopes, strict=True):
        repeated = np.concatenate([np.tile(np.flatnonzero(sequence == s), times) for s, times in enumerate(row)])
        d, s = duration[repeated], size[repeated]
        means = [s[d == point].mean() for point in found.durations]
        assert slope == pytest.approx(np.polyfit(np.log(found.durations), np.log(means), 1)[0], abs=1e-10)


def test_interval_over_sequences_is_wider_than_one_over_avalanches_where_sequences_differ():
    rng = np.random.default_rng(2)
    n_sequences = 30
    sequence = np.repeat(np.arange(n_sequences), 60)
    steep = rng.normal(1.5, 0.4, n_sequences)[sequence]
    duration = rng.integers(3, 14, len(sequence))
    size = np.round(20 * duration**steep).astype(np.int64)
    by_sequence = crackling(sample(size, duration, sequence), weights(n_sequences))
    by_avalanche = crackling(sample(size, duration), weights(len(size)))
    assert by_sequence.gamma == pytest.approx(by_avalanche.gamma, abs=1e-12)
    assert by_sequence.ci_width > 1.5 * by_avalanche.ci_width


def test_independent_sites_have_a_slope_too():
    """Trap: independent noise of density 0.4 gives 1.30 with r2 0.985, so slope and r2 alone mean nothing."""
    noise = bernoulli(0.4, (128, 24, 256), seed=3).astype(np.uint16)
    seq_id = np.arange(128, dtype=np.int32)
    found = crackling(
        AvalancheSample.of(find_avalanches(noise, seq_id, Adjacency.ADJ_4N), seq_id, SizeDef.SIZE_EVENTS), weights(128)
    )
    assert found.passed
    assert found.gamma == pytest.approx(1.30, abs=0.06)
    assert found.r2 > 0.97


def test_critical_branching_at_short_durations_is_far_from_two():
    """Trap: over durations 3 to 12 an exactly critical Poisson branching process shows 1.59, not 2."""
    runs = poisson_branching(200_000, 1.0, max_generations=12, seed=4)
    short = runs.durations <= 12
    found = crackling(sample(runs.sizes[short], runs.durations[short], np.arange(short.sum()) % 100), weights(100))
    assert found.durations.tolist() == list(range(3, 13))
    assert found.gamma == pytest.approx(1.59, abs=0.02)


def test_eight_avalanches_are_no_slope():
    """Trap: one avalanche at each of eight durations passed a gate of points alone, with an interval of width zero."""
    found = crackling(sample(np.arange(3, 11) ** 2, np.arange(3, 11)), weights(8))
    assert np.isnan(found.gamma)
    assert not found.passed
    assert found.reason.startswith("0 durations in 3..64 have at least 5 avalanches, 8 are needed")


@pytest.mark.parametrize(("points", "available"), [(7, False), (8, True)])
def test_eight_durations_are_needed(points, available):
    found = crackling(spread(lambda d: d**2, np.arange(3, 3 + points), 6, 60), weights(60))
    assert np.isfinite(found.gamma) == available
    assert len(found.durations) == points


@pytest.mark.parametrize(("per_point", "available"), [(4, False), (5, True)])
def test_five_avalanches_are_needed_at_a_duration(per_point, available):
    found = crackling(spread(lambda d: d**2, np.arange(3, 20), per_point, 200), weights(200))
    assert np.isfinite(found.gamma) == available


def test_durations_outside_the_range_do_not_count():
    inside = crackling(spread(lambda d: d**2, np.arange(3, 65), 6, 60), weights(60))
    outside = crackling(spread(lambda d: np.where(d <= 64, d**2, 1), np.arange(1, 90), 6, 60), weights(60))
    assert inside.gamma == pytest.approx(outside.gamma)


def test_an_interval_of_width_zero_never_passes():
    """Trap: equal sequences resample to the same slope; the width of 0 would pass a gate on width alone."""
    duration = np.tile(np.repeat(np.arange(3, 14), 2), 20)
    found = crackling(sample(duration**2 + 1, duration, np.repeat(np.arange(20), 22)), weights(20))
    assert found.ci_width == pytest.approx(0.0, abs=1e-12)
    assert not found.passed


def test_a_wide_interval_does_not_pass():
    rng = np.random.default_rng(5)
    duration = np.repeat(np.arange(3, 13), 6)
    size = np.maximum(1, np.round(np.exp(rng.normal(2, 2.0, len(duration))))).astype(np.int64)
    found = crackling(sample(size, duration, np.arange(len(duration)) % 12), weights(12))
    assert found.ci_width > CONST.BOOTSTRAP_CI_WIDTH_MAX
    assert not found.passed


def test_replicates_that_lose_durations_are_dropped_and_said():
    """Eight durations, one of them in a single sequence: a third of the replicates do not draw it."""
    common = spread(lambda d: d**2, np.arange(3, 10), 40, 40)
    lonely = sample([100] * 5, [10] * 5, [0] * 5)
    joined = sample(
        np.concatenate([common.size, lonely.size]),
        np.concatenate([common.duration, lonely.duration]),
        np.concatenate([common.sequence, lonely.sequence]),
    )
    found = crackling(joined, weights(40))
    missed = np.count_nonzero(weights(40)[:, 0] == 0)
    assert found.dropped == missed
    assert np.isfinite(found.gamma)
    assert np.isnan(found.ci_low)
    assert not found.passed
    assert f"{missed} of 300 bootstrap replicates" in found.reason


@pytest.mark.parametrize("n", [0, 1])
def test_no_avalanche_and_one_are_not_available(n):
    found = crackling(sample(np.full(n, 4), np.full(n, 4)), weights(max(n, 2)))
    assert np.isnan([found.gamma, found.ci_low, found.r2]).all()
    assert found.reason
    assert not found.passed
    assert found.dropped == 0


def test_equal_sizes_have_a_flat_line():
    duration = np.tile(np.arange(3, 12), 10)
    found = crackling(sample(np.full(90, 7), duration, np.arange(90) % 9), weights(9))
    assert found.gamma == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(found.r2)


def test_another_raster_is_measured_among_the_durations_of_the_first():
    rng = np.random.default_rng(6)
    duration = rng.integers(1, 30, 3000)
    size = duration + rng.poisson(duration**1.4)
    other = sample(size, duration, rng.integers(0, 40, 3000))
    among = np.arange(5, 20)
    found = crackling(other, weights(40), among=among)
    assert found.durations.tolist() == among.tolist()
    means = [size[duration == d].mean() for d in among]
    assert found.gamma == pytest.approx(np.polyfit(np.log(among), np.log(means), 1)[0], abs=1e-12)
    few = crackling(other, weights(40), among=np.arange(5, 12))
    assert few.reason == "7 of the real raster's durations have at least 5 avalanches, 8 are needed"
    none = crackling(other, weights(40), among=np.arange(0))
    assert np.isnan(none.gamma)
