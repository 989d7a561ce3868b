import numpy as np
import pytest

from critnb.canon import Adjacency
from critnb.criticality import find_avalanches, label_sites
from critnb.criticality.sizes.profiles import profiles
from critnb.criticality.synthetic import bernoulli


def naive_profiles(counts, adjacency, durations):
    """Walk every site of every avalanche."""
    seq_id = np.arange(len(counts), dtype=np.int32)
    found, labels = find_avalanches(counts, seq_id, adjacency), label_sites(counts, seq_id, adjacency)
    _, layers, tokens = counts.shape
    sums = {int(d): np.zeros(int(d)) for d in durations}
    number = dict.fromkeys(sums, 0)
    for i in range(len(found)):
        d = int(found.span_tokens[i])
        if d not in sums or found.touches_edge[i]:
            continue
        number[d] += 1
        for layer in range(layers):
            for token in range(tokens):
                if labels[found.seq_id[i], layer, token] == found.avalanche_id[i]:
                    sums[d][token - found.t_min[i]] += counts[found.seq_id[i], layer, token]
    return {d: sums[d] / number[d] for d in sums}, number


def test_profiles_are_those_of_a_walk_over_sites():
    rng = np.random.default_rng(0)
    counts = (bernoulli(0.25, (160, 8, 60), seed=1) * rng.integers(1, 5, (160, 8, 60))).astype(np.uint16)
    counts[3] = 0
    found = profiles(counts, np.arange(160, dtype=np.int32), Adjacency.ADJ_4N)
    assert len(found.durations) >= 2
    expected, number = naive_profiles(counts, Adjacency.ADJ_4N, found.durations)
    for row, duration in enumerate(found.durations):
        np.testing.assert_allclose(found.mean[row, :duration], expected[duration])
        assert np.isnan(found.mean[row, duration:]).all()
        assert found.n[row] == number[duration] >= 20


def shaped(gamma, durations, each=20):
    """Avalanches of one layer whose events follow D^(gamma-1) times a parabola, one per sequence."""
    planes = []
    for d in durations:
        t = (np.arange(d) + 0.5) / d
        plane = np.zeros((3, d + 4), dtype=np.float64)
        plane[1, 2 : d + 2] = 400 * d ** (gamma - 1) * t * (1 - t)
        planes += [np.pad(plane, ((0, 0), (0, max(durations) - d)))] * each
    return np.round(np.stack(planes)).astype(np.uint16)


@pytest.mark.parametrize("gamma", [1.3, 2.0])
def test_profiles_of_one_shape_collapse_at_their_exponent(gamma):
    counts = shaped(gamma, [8, 12, 16, 24, 32])
    found = profiles(counts, np.arange(len(counts), dtype=np.int32), Adjacency.ADJ_4N)
    assert found.durations.tolist() == [8, 12, 16, 24, 32]
    assert found.gamma_collapse == pytest.approx(gamma, abs=0.03)
    x, y = found.collapsed(gamma)
    assert x.min() >= 0.5 / 8
    assert x.max() <= 1 - 0.5 / 8
    spread = y.std(axis=0) / y.mean(axis=0)
    assert spread.max() < 0.05
    _, wrong = found.collapsed(gamma + 0.7)
    assert (wrong.std(axis=0) / wrong.mean(axis=0)).min() > 0.2


def test_two_durations_are_not_collapsed():
    counts = shaped(1.5, [8, 16])
    found = profiles(counts, np.arange(len(counts), dtype=np.int32), Adjacency.ADJ_4N)
    assert np.isnan(found.gamma_collapse)
    assert found.reason == "2 durations have enough avalanches, 3 are needed to collapse"


def test_flat_profiles_have_no_collapse_exponent():
    counts = np.zeros((60, 3, 20), dtype=np.uint16)
    for row, d in enumerate(np.repeat([4, 6, 8], 20)):
        counts[row, 1, 5 : 5 + d] = 1
    found = profiles(counts, np.arange(60, dtype=np.int32), Adjacency.ADJ_4N)
    assert np.isnan(found.gamma_collapse)
    assert "flat" in found.reason


@pytest.mark.parametrize("counts", [np.zeros((2, 3, 6)), np.ones((2, 3, 6)), np.ones((2, 1, 6)), np.ones((2, 3, 1))])
def test_rasters_without_inner_avalanches_have_no_profiles(counts):
    found = profiles(counts.astype(np.uint16), np.arange(2, dtype=np.int32), Adjacency.ADJ_8N)
    assert len(found.durations) == len(found.n) == len(found.mean) == 0
    assert "20 uncensored avalanches" in found.reason


def test_an_empty_sequence_between_others_shifts_nothing():
    counts = shaped(1.5, [8, 12, 16])
    spaced = np.zeros((2 * len(counts), *counts.shape[1:]), dtype=np.uint16)
    spaced[::2] = counts
    dense = profiles(counts, np.arange(len(counts), dtype=np.int32), Adjacency.ADJ_4N)
    found = profiles(spaced, np.arange(len(spaced), dtype=np.int32), Adjacency.ADJ_4N)
    np.testing.assert_array_equal(found.mean, dense.mean)


def test_a_collapse_beyond_the_search_is_none():
    counts = shaped(1.0, [8, 16, 32])
    for row, scale in enumerate(np.repeat([1.0, 24.0, 600.0], 20)):
        counts[row] = np.minimum(counts[row] * scale / 3, 60_000).astype(np.uint16)
    found = profiles(counts, np.arange(len(counts), dtype=np.int32), Adjacency.ADJ_4N)
    assert np.isnan(found.gamma_collapse)
    assert "brings the profiles together" in found.reason
