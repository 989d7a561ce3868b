import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.criticality.tails import Histogram
from critnb.errors import DataError

samples = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(samples)
def test_it_holds_the_sample(sample):
    histogram = Histogram.of(np.array(sample))
    assert np.repeat(histogram.values, histogram.counts).tolist() == sorted(sample)
    assert histogram.n == len(sample)
    assert histogram.values.dtype == histogram.counts.dtype == np.int64


@given(samples, st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.2, 0.7, 0.8, 0.9, 1.0]))
def test_the_quantile_is_numpys_higher(sample, share):
    assert Histogram.of(np.array(sample)).quantile(share) in (
        np.quantile(sample, share, method="higher"),
        np.quantile(sample, max(0.0, share - 1e-8), method="higher"),
    )


def test_a_rounding_error_lifts_no_rank():
    # 0.1 + 0.2 is a little more than 0.3: still rank 3 of 0..10, not 4
    assert Histogram.of(np.arange(1, 12)).quantile(0.1 + 0.2) == 4
    assert Histogram.of(np.array([1, 1, 1, 2, 3, 9])).quantile(0.8) == 3


@given(samples, st.integers(1, 45), st.integers(1, 45))
def test_a_tail_keeps_both_ends(sample, xmin, xmax):
    tail = Histogram.of(np.array(sample)).tail(xmin, xmax)
    assert np.repeat(tail.values, tail.counts).tolist() == sorted(x for x in sample if xmin <= x <= xmax)
    assert Histogram.of(np.array(sample)).tail(xmin).n == sum(x >= xmin for x in sample)


def test_an_empty_sample_is_no_error():
    empty = Histogram.of(np.array([], dtype=np.int64))
    assert (empty.n, empty.quantile(0.8), empty.tail(3).n) == (0, None, 0)
    empty.check_bound(1)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (np.array([1, 0, 3]), "a value 0"),
        (np.array([-2, 3]), "a value -2"),
        (np.array([1, 2**53 + 2]), "a value 9007199254740994"),
        (np.array([1.5, 2.0]), "not float64"),
        (np.ma.masked_array([1, 2, 3], mask=[0, 0, 1]), "masked values"),
    ],
)
def test_what_is_no_size_is_named(sample, words):
    with pytest.raises(DataError, match=words):
        Histogram.of(sample)


def test_a_share_is_a_share():
    with pytest.raises(DataError, match=r"share in 0\.\.1, not 80"):
        Histogram.of(np.array([1, 2])).quantile(80)


def test_values_above_the_bound_are_named():
    with pytest.raises(DataError, match="a value 9, above xmax 8"):
        Histogram.of(np.array([1, 9])).check_bound(8)
