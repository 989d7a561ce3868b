import numpy as np
import pytest

from critnb.criticality.synthetic.samples import discrete_power_law, rounded_lognormal
from critnb.criticality.tails import Histogram, XminScan, ks_p_value, mle_exponent, pvalue, scan_xmin
from critnb.criticality.tails.pvalue import Mixture
from critnb.criticality.tails.scan import XminCandidates, any_below, closest, least_distances
from critnb.errors import DataError
from critnb.lattice.randomness import root_key, words

STREAM = {"seed": 1337, "key": b"test"}


def scanned(sample, xmax, min_tail=100):
    histogram = Histogram.of(sample)
    return histogram, scan_xmin(histogram, xmax=xmax, min_tail=min_tail)


def test_replicates_follow_the_data_below_xmin_and_the_law_above():
    sample = np.concatenate([np.repeat([1, 3], [600, 200]), discrete_power_law(1.7, 1_200, xmin=5, xmax=60, seed=1)])
    histogram = Histogram.of(sample)
    scan = XminScan(xmin=5, alpha=1.7, distance=0.1, n_tail=1_200, available=True, reason="")
    draws = Mixture.of(histogram, scan, 60)
    total = np.zeros(61)
    for number in range(100):
        drawn = draws.draw(histogram.n, words(root_key(1), number))
        assert drawn.n == histogram.n
        total[drawn.values] += drawn.counts
    k = np.arange(5, 61)
    expected = np.zeros(61)
    expected[[1, 3]] = 0.3, 0.1
    expected[5:] = 0.6 * k**-1.7 / np.sum(k**-1.7)
    n = 100 * histogram.n
    assert np.all(np.abs(total - n * expected) <= 4.5 * np.sqrt(n * expected))
    assert total[[0, 2, 4]].tolist() == [0, 0, 0]


@pytest.mark.parametrize("xmax", [None, 5_000])
def test_draws_beyond_the_table_equal_those_from_a_longer_table(monkeypatch, xmax):
    sample, scan = scanned(discrete_power_law(1.6, 3_000, xmin=2, xmax=5_000, seed=2), 5_000)
    key = words(root_key(5), 0)
    whole = Mixture.of(sample, scan, xmax).draw(20_000, key)
    monkeypatch.setattr(pvalue, "_TABLE", 40)
    parts = Mixture.of(sample, scan, xmax).draw(20_000, key)
    assert whole.values[-1] > 1_000
    assert np.array_equal(parts.values, whole.values)
    assert np.array_equal(parts.counts, whole.counts)


def test_a_power_law_is_not_rejected_and_a_lognormal_is():
    sample, scan = scanned(discrete_power_law(1.8, 2_000, xmax=500, seed=3), 500)
    assert ks_p_value(sample, scan, xmax=500, replicates=60, **STREAM) > 0.1
    sample, scan = scanned(rounded_lognormal(2.5, 0.5, 3_000, xmax=500, seed=3), 500, min_tail=1_500)
    assert ks_p_value(sample, scan, xmax=500, replicates=60, min_tail=1_500, **STREAM) == 1 / 61


def test_the_scan_is_repeated_with_the_same_least_tail():
    # The p-value by its definition, replicate by replicate.
    sample, scan = scanned(discrete_power_law(2.1, 400, seed=4), None, min_tail=50)
    root, mixture = root_key(9, b"tails", b"k"), Mixture.of(sample, scan, None)
    again = [scan_xmin(mixture.draw(400, words(root, i)), xmax=None, min_tail=50) for i in range(70)]
    reached = sum(one.distance >= scan.distance for one in again)
    assert 0 < reached < 70
    found = ks_p_value(sample, scan, xmax=None, replicates=70, seed=9, key=b"k", min_tail=50)
    assert found == (1 + reached) / 71


def test_the_stream_is_named_by_seed_and_key():
    sample, scan = scanned(discrete_power_law(1.9, 500, xmax=200, seed=5), 200)
    values = {
        ks_p_value(sample, scan, xmax=200, replicates=100, seed=seed, key=key)
        for seed, key in ((1, b"a"), (1, b"b"), (2, b"a"), (1, b"a"))
    }
    assert len(values) == 3


def test_replicates_without_a_scan_do_not_count(monkeypatch):
    sample, scan = scanned(np.repeat([1, 2], [99, 1]), 2)
    # e^-1 of the replicates are all ones and have no exponent
    root, mixture = root_key(1337, b"tails", b"test"), Mixture.of(sample, scan, 2)
    again = [scan_xmin(mixture.draw(100, words(root, i)), xmax=2) for i in range(50)]
    kept = [one for one in again if one.available]
    assert 20 < len(kept) < 45
    reached = sum(one.distance >= scan.distance for one in kept)
    assert ks_p_value(sample, scan, xmax=2, replicates=50, **STREAM) == (1 + reached) / (len(kept) + 1)


def test_without_a_scan_there_is_no_p():
    sample, scan = scanned(np.arange(1, 20), None)
    assert np.isnan(ks_p_value(sample, scan, xmax=None, replicates=10, **STREAM))
    sample, scan = scanned(discrete_power_law(2.0, 200, seed=1), None)
    assert np.isnan(ks_p_value(sample, scan, xmax=None, replicates=10, min_tail=201, **STREAM))
    assert np.isnan(ks_p_value(sample, scan, xmax=None, replicates=0, **STREAM))


def test_a_value_above_the_bound_is_an_error():
    sample, scan = scanned(np.arange(1, 200), None)
    with pytest.raises(DataError, match="above xmax 100"):
        ks_p_value(sample, scan, xmax=100, replicates=10, **STREAM)


@pytest.mark.parametrize("xmax", [None, 60])
def test_draws_are_those_of_a_search_with_the_words_of_the_stream(xmax):
    sample, scan = scanned(discrete_power_law(1.4, 2_000, xmin=2, xmax=60, seed=8), xmax)
    mixture, key = Mixture.of(sample, scan, xmax), words(root_key(3), 7)[()]
    level = (words(key, np.arange(5_000)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    place = np.searchsorted(mixture.cumulative, level, side="right")
    near = Histogram.of(mixture.values[place[place < len(mixture.values)]])
    drawn = mixture.draw(5_000, key)
    assert np.array_equal(drawn.values[: len(near.values)], near.values)
    assert np.array_equal(drawn.counts[: len(near.values)], near.counts)
    assert drawn.n == 5_000
    assert (len(drawn.values) > len(near.values)) == (xmax is None)


def test_the_least_distance_of_samples_of_different_lengths_is_that_of_each_alone():
    samples = [discrete_power_law(2.2, n, xmax=400, seed=n) for n in (150, 900, 4_000)]
    every = [XminCandidates.of(Histogram.of(one), xmax=400, min_tail=50) for one in samples]
    alphas = [mle_exponent(one.mean_log, xmin=one.xmin, xmax=400) for one in every]
    which = [np.arange(one.size) for one in every]
    found = least_distances(every, alphas, which, 400)
    np.testing.assert_allclose(found, [closest(*pair).distance for pair in zip(every, alphas, strict=True)], rtol=1e-12)
    for one, alpha, least in zip(every, alphas, found, strict=True):
        assert any_below(one, alpha, least * (1 + 1e-9))
        assert not any_below(one, alpha, least * (1 - 1e-9))
