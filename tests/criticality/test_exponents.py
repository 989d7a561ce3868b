from dataclasses import replace

import numpy as np
import pytest

from critnb.canon import Adjacency, SizeDef
from critnb.criticality import find_avalanches, multinomial_weights
from critnb.criticality.sizes.exponents import ResampledEstimate, exponents, predicted_gamma
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.criticality.sizes.scaling import critical_pool, reference
from critnb.criticality.synthetic import bernoulli, lattice_cascades
from critnb.criticality.tails import mle_exponent

EVENTS = SizeDef.SIZE_EVENTS
LATTICE = Lattice(24, 128, 100)


def cascades(n, seed, n_sequences=60, lattice=LATTICE) -> AvalancheSample:
    found = lattice_cascades(
        n, n_layers=lattice.n_layers, n_tokens=lattice.n_tokens, m_time=0.5, m_depth=0.5, seed=seed
    )
    return AvalancheSample(
        found.size.astype(np.int64), found.span_tokens.astype(np.int64), np.arange(n) % n_sequences, found.touches_edge
    )


@pytest.fixture(scope="module")
def weights():
    return multinomial_weights(60, 200, seed=1337)


@pytest.fixture(scope="module")
def sample():
    return cascades(20_000, seed=1)


@pytest.fixture(scope="module")
def found(sample, weights):
    return exponents(sample, weights, lattice=LATTICE, size_def=EVENTS)


@pytest.fixture(scope="module")
def pool():
    return critical_pool(LATTICE, cascades=100_000, seed=7)


def test_values_are_the_fit_of_uncensored_avalanches(sample, found):
    inner = sample.uncensored()
    tail = inner.size[inner.size >= found.size_scan.xmin]
    assert found.size_scan.n_tail == len(tail)
    alone = mle_exponent(np.log(tail).mean(), xmin=found.size_scan.xmin, xmax=LATTICE.largest_size(EVENTS, inside=True))
    assert found.tau_S.value == pytest.approx(float(alone), abs=1e-9)
    assert found.n_uncensored == len(inner) < found.n_avalanches == len(sample)


def test_replicates_repeat_whole_sequences(sample, found, weights):
    inner = sample.uncensored()
    for row in (0, 7, 199):
        repeated = np.repeat(np.arange(len(inner)), weights[row][inner.sequence])
        size, duration = inner.size[repeated], inner.duration[repeated]
        tails = ((size, found.size_scan, EVENTS, found.tau_S), (duration, found.duration_scan, None, found.alpha_D))
        for values, scan, size_def, estimate in tails:
            xmax = LATTICE.largest_size(size_def, inside=True) if size_def else LATTICE.longest_duration(inside=True)
            mean_log = np.log(values[values >= scan.xmin]).mean()
            assert estimate.replicates[row] == pytest.approx(
                float(mle_exponent(mean_log, xmin=scan.xmin, xmax=xmax)), abs=1e-9
            )


def test_the_relation_is_made_of_the_same_replicates(found):
    predicted = (found.alpha_D.replicates - 1) / (found.tau_S.replicates - 1)
    np.testing.assert_allclose(found.gamma_pred.replicates, predicted)
    np.testing.assert_allclose(found.dcc.replicates, np.abs(found.gamma.slopes - predicted))
    assert found.dcc.value == pytest.approx(abs(found.gamma.gamma - found.gamma_pred.value))
    low, high = found.tau_S.interval
    assert low < found.tau_S.value < high
    assert found.reason == ""


def test_predicted_gamma_of_mean_field_is_two():
    assert predicted_gamma(np.array([1.5]), np.array([2.0])).tolist() == [2.0]
    # (1+1)-d directed percolation (Jensen 1999): tau 1.108247, alpha 1.159464, gamma 1.473150
    assert predicted_gamma(np.array([1.108247]), np.array([1.159464]))[0] == pytest.approx(1.473150, abs=1e-4)
    assert np.isnan(predicted_gamma(np.array([1.0, 0.9]), np.array([2.0, 2.0]))).all()


def test_critical_cascades_on_few_layers_do_not_show_mean_field_exponents(found):
    """The depth trap: exactly critical, and yet far from 3/2, 2 and 2."""
    assert found.gamma.gamma < 1.8
    assert abs(found.tau_S.value - 1.5) > 0.05


def bounds():
    return {
        "size_max": LATTICE.largest_size(EVENTS, inside=True),
        "duration_max": LATTICE.longest_duration(inside=True),
    }


@pytest.mark.slow
def test_critical_cascades_agree_with_their_own_reference(weights, pool):
    inside = 0
    for seed in range(20, 32):
        observed = exponents(cascades(6_000, seed=seed), weights, lattice=LATTICE, size_def=EVENTS)
        judged = reference(observed, pool, **bounds(), replicates=100, seed=seed)
        assert judged.reason == ""
        inside += judged.dcc_low <= observed.dcc.value <= judged.dcc_high
    assert inside >= 10


def test_the_reference_is_measured_as_the_observed_are(found, pool):
    judged = reference(found, pool, **bounds(), replicates=40, seed=3)
    tail = pool.size[pool.size >= found.size_scan.xmin]
    of_all = float(mle_exponent(np.log(tail).mean(), xmin=found.size_scan.xmin, xmax=bounds()["size_max"]))
    assert judged.tau_S == pytest.approx(of_all, abs=0.02)
    means = [pool.size[pool.duration == d].mean() for d in found.gamma.durations]
    slope = np.polyfit(np.log(found.gamma.durations), np.log(means), 1)[0]
    assert judged.gamma == pytest.approx(slope, abs=0.05)


def test_a_reference_depends_on_its_seed_and_on_nothing_else(found, pool):
    first = reference(found, pool, **bounds(), replicates=30, seed=3)
    assert reference(found, pool, **bounds(), replicates=30, seed=3) == first
    assert reference(found, pool, **bounds(), replicates=30, seed=4) != first


def test_another_raster_is_measured_on_the_supports_of_the_first(found, weights):
    other = cascades(9_000, seed=99)
    compared = exponents(other, weights, lattice=LATTICE, size_def=EVENTS, like=found)
    inner = other.uncensored()
    tail = inner.size[inner.size >= found.size_scan.xmin]
    xmax = LATTICE.largest_size(EVENTS, inside=True)
    alone = float(mle_exponent(np.log(tail).mean(), xmin=found.size_scan.xmin, xmax=xmax))
    assert compared.tau_S.value == pytest.approx(alone, abs=1e-12)
    assert compared.size_scan.n_tail == len(tail)
    assert compared.duration_scan.xmin == found.duration_scan.xmin
    assert set(compared.gamma.durations) <= set(found.gamma.durations)
    assert np.isnan(compared.size_scan.distance)


def test_two_rasters_of_one_law_differ_no_more_often_than_by_chance():
    """An xmin of one's own moved the exponent so much that noise differed from its own permutation in half of cases."""
    apart = 0
    drawn = multinomial_weights(48, 200, 1)
    lattice = Lattice(8, 128, 1)
    seq_id = np.arange(48, dtype=np.int32)

    def noise(seed):
        sites = bernoulli(0.25, (48, 8, 128), seed=seed).astype(np.uint16)
        return AvalancheSample.of(find_avalanches(sites, seq_id, Adjacency.ADJ_4N), seq_id, EVENTS)

    for seed in range(0, 40, 2):
        first = exponents(noise(seed), drawn, lattice=lattice, size_def=EVENTS)
        second = exponents(noise(seed + 1), drawn, lattice=lattice, size_def=EVENTS, like=first)
        (low, high), (other_low, other_high) = first.tau_S.interval, second.tau_S.interval
        apart += high < other_low or other_high < low
    assert apart <= 2


def test_a_raster_without_a_support_has_nothing_to_compare_on(found, weights):
    nothing = exponents(empty(), weights, lattice=LATTICE, size_def=EVENTS)
    compared = exponents(cascades(2_000, seed=5), weights, lattice=LATTICE, size_def=EVENTS, like=nothing)
    assert np.isnan(compared.tau_S.value)
    assert "the real raster has no support to compare on" in compared.reason
    few_on_it = exponents(few(19), weights, lattice=LATTICE, size_def=EVENTS, like=found)
    assert np.isnan(few_on_it.tau_S.value)


def test_exponents_have_a_reference_each_where_the_relation_has_none(weights, pool):
    sparse = cascades(3_000, seed=8)
    short = sparse.where(sparse.duration <= 6)
    observed = exponents(short, weights, lattice=LATTICE, size_def=EVENTS)
    assert np.isnan(observed.dcc.value)
    judged = reference(observed, pool, **bounds(), replicates=25, seed=1)
    assert np.isfinite([judged.tau_S, judged.alpha_D]).all()
    assert np.isnan([judged.gamma, judged.dcc]).all()
    assert judged.reason == "the observed dcc is not available"


def test_a_dcc_without_an_interval_says_so(found):
    broken = replace(found, dcc=ResampledEstimate(found.dcc.value, np.where(np.arange(200) < 30, np.nan, 0.2)))
    assert "interval of dcc: 30 of 200 replicates have none" in broken.relation_reason


def test_subcritical_sites_are_not_taken_for_critical_ones(pool):
    """Independent sites of the density at which the slope exists differ from critical cascades on the same ranges."""
    noise = bernoulli(0.36, (60, 24, 128), seed=5).astype(np.uint16)
    seq_id = np.arange(60, dtype=np.int32)
    sample = AvalancheSample.of(find_avalanches(noise, seq_id, Adjacency.ADJ_4N), seq_id, EVENTS)
    observed = exponents(sample, multinomial_weights(60, 200, 1), lattice=LATTICE, size_def=EVENTS)
    judged = reference(observed, pool, **bounds(), replicates=100, seed=5)
    low, high = observed.dcc.interval
    assert judged.reason == ""
    assert high < judged.dcc_low or low > judged.dcc_high


def empty() -> AvalancheSample:
    nothing = np.zeros(0, dtype=np.int64)
    return AvalancheSample(nothing, nothing, nothing.astype(np.intp), np.zeros(0, dtype=np.bool_))


def few(n, size=3, censored=False) -> AvalancheSample:
    whole = np.full(n, size, dtype=np.int64)
    return AvalancheSample(whole, np.minimum(whole, 2), np.zeros(n, dtype=np.intp), np.full(n, censored))


@pytest.mark.parametrize(
    "poor",
    [empty(), few(1), few(99), few(500), few(500, size=1), few(500, censored=True)],
    ids=["none", "one", "few", "all equal", "all single", "all censored"],
)
def test_poor_samples_are_not_available_with_a_reason(poor, weights, pool):
    observed = exponents(poor, weights, lattice=LATTICE, size_def=EVENTS)
    assert np.isnan(observed.dcc.value)
    assert np.isnan(observed.dcc.interval).all()
    assert observed.reason
    judged = reference(observed, pool, **bounds(), replicates=10, seed=1)
    assert np.isnan(judged.dcc)
    assert judged.reason in ("the observed dcc is not available", "no uncensored avalanche")


def test_a_lattice_without_inner_sites_has_no_critical_cascades():
    assert len(critical_pool(Lattice(2, 64, 10), cascades=500, seed=1)) == 0
