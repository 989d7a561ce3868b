"""The scan against a twin that sums over every integer and looks at every candidate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from critnb.criticality.synthetic.samples import discrete_power_law
from critnb.criticality.tails import Histogram, mle_exponent, scan, scan_xmin
from critnb.criticality.tails.scan import XminCandidates, closest
from critnb.errors import DataError


def plain_fit(tail, xmin, xmax):
    """Exponent and distance of one candidate, by sums over xmin..xmax and bisection; None where there is none."""
    k = np.arange(xmin, xmax + 1, dtype=float)
    log, mean = np.log(k), np.log(tail).mean()

    def share(alpha):
        weight = np.exp(-alpha * (log - log[0 if alpha > 0 else -1]))
        return weight / weight.sum()

    if len(np.unique(tail)) == 1 and tail[0] in (xmin, xmax):
        return None
    alpha = brentq(lambda at: share(at) @ log - mean, -3000, 3000, xtol=1e-12)
    if xmax - xmin >= 64 and alpha < -xmax / 2:
        return None  # documented: nearly all values at xmax
    observed = np.searchsorted(np.sort(tail), k, side="right") / len(tail)
    return alpha, np.abs(np.cumsum(share(alpha)) - observed).max()


def plain_scan(sample, xmax, min_tail):
    found = []
    for xmin in np.unique(sample):
        tail = sample[sample >= xmin]
        if len(tail) >= min_tail and (fit := plain_fit(tail, xmin, xmax)):
            found.append((int(xmin), *fit))
    return found


SMALL = st.lists(st.one_of(st.integers(1, 6), st.integers(1, 60)), min_size=1, max_size=60)


@settings(max_examples=60)
@given(SMALL, st.integers(0, 40), st.integers(1, 8))
def test_the_scan_is_the_plain_scan(values, room, min_tail):
    sample = np.array(values)
    xmax = int(sample.max()) + room
    twins = plain_scan(sample, xmax, min_tail)
    found = scan_xmin(Histogram.of(sample), xmax=xmax, min_tail=min_tail)
    assert found.available == bool(twins)
    if not twins:
        assert found.reason
        return
    best = min(distance for _, _, distance in twins)
    ((_, alpha, distance),) = (twin for twin in twins if twin[0] == found.xmin)
    assert found.distance == pytest.approx(distance, abs=1e-9)
    assert distance <= best + 1e-9
    assert found.alpha == pytest.approx(alpha, rel=1e-7, abs=1e-7)
    assert found.n_tail == np.count_nonzero(sample >= found.xmin)


def test_every_candidate_s_distance_is_the_plain_one():
    sample = discrete_power_law(1.6, 300, xmax=700, seed=1)
    candidates = XminCandidates.of(Histogram.of(sample), xmax=700, min_tail=2)
    alpha = mle_exponent(candidates.mean_log, xmin=candidates.xmin, xmax=700)
    every = np.arange(len(candidates.sample.values))[None]
    which = np.flatnonzero(np.isfinite(alpha))
    distances = candidates.distances(alpha[which], which, every)
    twins = plain_scan(sample, 700, 2)
    assert len(twins) == len(which) > 40
    np.testing.assert_allclose(distances, [distance for *_, distance in twins], rtol=0, atol=1e-10)
    np.testing.assert_allclose(alpha[which], [one for _, one, _ in twins], rtol=1e-8)


def test_a_gap_can_hold_the_largest_distance():
    # Between two observed values the law rises and the sample does not: the distance is largest at 99, unobserved.
    sample = np.repeat([1, 100], [50, 50])
    found = scan_xmin(Histogram.of(sample), xmax=100, min_tail=100)
    k = np.arange(1, 101)
    law = np.cumsum(k**-found.alpha) / np.sum(k**-found.alpha)
    at_values = max(abs(law[0] - 0.5), abs(law[99] - 1.0))
    assert found.distance == pytest.approx(max(abs(law[98] - 0.5), at_values), abs=1e-10)
    assert found.distance > at_values + 0.05


@settings(max_examples=60)
@given(SMALL, st.integers(1, 10))
def test_bounds_change_nothing(values, min_tail):
    histogram = Histogram.of(np.array(values))
    plain = scan_xmin(histogram, xmax=80, min_tail=min_tail)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "_PAIRS", 3)
        patch.setattr(scan, "_PROBES", 2)
        bounded = scan_xmin(histogram, xmax=80, min_tail=min_tail)
    np.testing.assert_equal(vars(bounded), vars(plain))


def test_bounds_spare_most_of_the_work(monkeypatch):
    sample = Histogram.of(discrete_power_law(1.5, 20_000, xmax=100_000, seed=3))
    pairs = []
    distances = XminCandidates.distances

    def counted(self, alpha, which, places):
        pairs.append(len(which) * places.shape[1])
        return distances(self, alpha, which, places)

    monkeypatch.setattr(XminCandidates, "distances", counted)
    bounded = scan_xmin(sample, xmax=100_000)
    spared = sum(pairs)
    monkeypatch.setattr(scan, "_PAIRS", 10**9)
    pairs.clear()
    assert scan_xmin(sample, xmax=100_000) == bounded
    assert spared < 0.5 * sum(pairs)


def test_a_bound_is_never_above_the_distance():
    candidates = XminCandidates.of(
        Histogram.of(discrete_power_law(1.5, 3_000, xmax=10_000, seed=4)), xmax=10_000, min_tail=50
    )
    alpha = mle_exponent(candidates.mean_log, xmin=candidates.xmin, xmax=10_000)
    which = np.arange(candidates.size)
    bound = candidates.distances(alpha, which, scan._probes(candidates, which))
    exact = candidates.distances(alpha, which, np.arange(len(candidates.sample.values))[None])
    assert np.all(bound <= exact)
    assert np.median(bound / exact) > 0.7


@pytest.mark.parametrize("chunk", [1, 3, 8])
@pytest.mark.parametrize(("first", "last"), [(7, 1), (1, 7)])
def test_ties_go_to_the_smaller_xmin(monkeypatch, chunk, first, last):
    candidates = XminCandidates.of(Histogram.of(np.arange(1, 9)), xmax=20, min_tail=1)
    distance = np.array([0.5, 0.3, 0.4, 0.3, 0.3, 0.6, 0.7, 0.3])
    bound = np.full(8, 0.2)
    bound[[first, last]] = 0.1, 0.12  # the order in which they are looked at
    monkeypatch.setattr(
        XminCandidates, "distances", lambda _, alpha, which, places: (distance if len(places) == 1 else bound)[which]
    )
    monkeypatch.setattr(scan, "_PAIRS", 8 * chunk)
    assert closest(candidates, np.ones(8)).xmin == 2


@pytest.mark.parametrize(
    ("sample", "xmax", "reason"),
    [
        ([], 50, "0 values, fewer than 100"),
        ([7], None, "1 value, fewer than 100"),
        ([1, 2, 3] * 33, 50, "99 values, fewer than 100"),
        ([7] * 200, None, "every candidate's tail has a single value, or nearly all of it at xmax"),
        ([1] * 200, 1, "every candidate's tail has a single value, or nearly all of it at xmax"),
        ([9] * 200, 9, "every candidate's tail has a single value, or nearly all of it at xmax"),
    ],
)
def test_what_has_no_scan_says_why(sample, xmax, reason):
    found = scan_xmin(Histogram.of(np.array(sample, dtype=np.int64)), xmax=xmax)
    assert not found.available
    assert found.reason == reason
    assert (found.xmin, found.n_tail) == (0, 0)
    assert np.isnan([found.alpha, found.distance]).all()


def test_every_candidate_keeps_the_least_tail():
    sample = Histogram.of(discrete_power_law(2.0, 1_000, seed=5))
    assert XminCandidates.of(sample, xmax=None, min_tail=100).above[:-1].min() < 100
    for min_tail in (1, 100, 700):
        assert scan_xmin(sample, xmax=None, min_tail=min_tail).n_tail >= min_tail


def test_a_value_above_the_bound_is_an_error():
    with pytest.raises(DataError, match="a value 9, above xmax 8"):
        scan_xmin(Histogram.of(np.arange(1, 10)), xmax=8)
