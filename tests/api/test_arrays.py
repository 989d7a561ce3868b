"""Arrays of one's own: what is accepted, what is refused in words, and spike trains as population activity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import csr_array

import critnb
from critnb.criticality.synthetic import toy_raster
from critnb.errors import CritnbError, DataError, ParamsError
from critnb.explore import raster_view

TOY = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]], dtype=bool)  # [L, T]


@pytest.mark.parametrize(
    "x",
    [TOY, TOY[None], TOY.astype(int), TOY.astype(float), TOY.tolist(), pd.DataFrame(TOY), toy_raster()],
    ids=["bool", "3 axes", "int", "whole floats", "list", "frame", "raster"],
)
def test_the_same_array_in_any_form_is_the_same_events(x):
    events = critnb.event_counts(x)
    assert events.shape == (1, 3, 4)
    np.testing.assert_array_equal(events.counts, TOY[None].astype(np.uint16))
    assert (events.n_units, events.n_events, events.occupancy) == (1, 3, 0.25)
    assert critnb.event_counts(events) is events
    np.testing.assert_array_equal(np.asarray(events), TOY[None])


def test_a_frame_with_a_column_called_events_is_a_frame():
    frame = pd.DataFrame({"events": [1, 0, 2], "other": [0, 0, 1]})
    np.testing.assert_array_equal(critnb.event_counts(frame).counts[0], [[1, 0], [0, 0], [2, 1]])


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(5), "1 axes; give [N, L, T]"),
        (np.zeros((1, 2, 3, 4)), "4 axes"),
        (np.zeros((2, 0, 3)), "empty axis"),
        (np.zeros((3, 1)), "fewer than 2 tokens"),
        (-TOY.astype(int), "-1..0; they must lie in 0..65535"),
        (TOY * 70000, "0..70000"),
        (np.where(TOY, np.nan, 0), "3 of 12 values are missing"),
        (np.where(TOY, np.inf, 0), "infinite values"),
        (TOY * 2**40, "0..1099511627776;"),
        (TOY * 1e19, "0..1e+19;"),
        (TOY.astype(object) * 10**25, "a value 10000000000000000000000000, beyond 64 bits"),
        (TOY * 0.5, "fractional values"),
        (TOY.astype(str), "values are str"),
        (TOY.astype(complex), "values are complex128"),
        ([[1, 2], [3, None]], "1 of 4 values are missing (masked, NaN or None); leave out the sequences"),
        ([[1, 2], [3]], "list cannot be read as an array"),
        (TOY.astype("datetime64[s]"), "values are datetime64[s]"),
        (np.zeros((3, 4), dtype=[("a", int)]), "values are void"),
        ([[1, {}], [2, 3]], "values are dict"),
        (csr_array(TOY), "csr_array is no array of numbers; give x.toarray()"),
        (iter([1, 2]), "list_iterator is no array of numbers"),
        ("0110", "str is no array of numbers"),
        (None, "NoneType is no array of numbers"),
    ],
)
def test_what_is_no_event_count_is_refused_in_one_line(x, words):
    for estimator in (critnb.event_counts, critnb.branching, critnb.avalanches, critnb.multistep, critnb.exponents):
        with pytest.raises(ValueError, match=r"^event counts: ") as caught:
            estimator(x)
        assert words in str(caught.value)
        assert isinstance(caught.value, CritnbError)
        assert "\n" not in str(caught.value)


def masked(x: np.ndarray) -> np.ma.MaskedArray:
    return np.ma.masked_array(x, mask=np.arange(x.size).reshape(x.shape) % 5 == 0)


MISSING = {
    "masked": masked,
    "masked rows in a list": lambda x: [masked(x)[0], *x[1:].tolist()],
    "masked scalar in a list": lambda x: [[np.ma.masked, *x[0, 1:].tolist()], *x[1:].tolist()],
    "masked and NaN": lambda x: np.ma.masked_array(np.where(x == 1, np.nan, x), mask=x == 1),
    "NaN": lambda x: np.where(x == 1, np.nan, x),
    "half NaN": lambda x: np.where(x == 1, np.nan, x).astype(np.float16),
    "NaN of the other byte order": lambda x: np.where(x == 1, np.nan, x).astype(">f4"),
    "None": lambda x: np.where(x == 1, None, x),
    "pandas NA": lambda x: pd.DataFrame(np.where(x == 1, pd.NA, x)).astype("Int64"),
    "pandas NaN": lambda x: pd.DataFrame(np.where(x == 1, np.nan, x)),
    "pandas boolean": lambda x: pd.DataFrame(np.where(x == 1, pd.NA, x > 0)).astype("boolean"),
    "tensor": lambda x: torch.tensor(np.where(x == 1, np.nan, x), requires_grad=True),
    "bfloat16 tensor": lambda x: torch.tensor(np.where(x == 1, np.nan, x)).bfloat16(),
}
ESTIMATORS = {
    "event_counts": critnb.event_counts,
    "population_activity": critnb.population_activity,
    "branching": critnb.branching,
    "avalanches": critnb.avalanches,
    "crackling": critnb.crackling,
    "exponents": critnb.exponents,
    "multistep": critnb.multistep,
    "null_replicate": critnb.null_replicate,
    "null_test": lambda x: critnb.null_test(x, len),
    "raster_view": raster_view,
    "extract_activations": lambda x: critnb.extract_activations(x[None] if hasattr(x, "ndim") else [x], tau=1.0),
}


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize("form", MISSING.values(), ids=MISSING)
def test_missing_values_are_data_to_nobody(form, estimator):
    x = form(np.arange(20).reshape(4, 5) % 3)
    if isinstance(x, pd.DataFrame) and estimator is ESTIMATORS["extract_activations"]:
        x = [x]
    with pytest.raises(DataError, match=r"^(event counts|u): \d+ of 20 values are missing") as caught:
        estimator(x)
    assert "\n" not in str(caught.value)


def test_masked_arrays_say_how_many_are_missing():
    with pytest.raises(DataError, match="4 of 20 values are missing"):
        critnb.branching(masked(np.arange(20).reshape(4, 5)))
    with pytest.raises(DataError, match="7 of 20 values are missing"):
        critnb.branching(MISSING["masked and NaN"](np.arange(20).reshape(4, 5) % 3))


@pytest.mark.parametrize(
    "form",
    [
        lambda x: np.ma.masked_array(x),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x.astype(">i4"),
        lambda x: x.astype(object),
        lambda x: pd.DataFrame(x).astype("Int64"),
        lambda x: pd.DataFrame(x, dtype=pd.ArrowDtype(pa.int64())),
        lambda x: torch.tensor(x),
        lambda x: torch.tensor(x).bfloat16().requires_grad_(),
        lambda x: np.longdouble(x),
    ],
)
def test_an_array_is_what_it_holds_however_it_is_stored(form):
    plain = np.arange(12).reshape(3, 4) % 4
    given = form(plain.copy())
    if isinstance(given, np.ndarray):
        given.setflags(write=False)
    np.testing.assert_array_equal(critnb.event_counts(given).counts[0], plain)


@pytest.mark.parametrize("n_units", [2.5, np.nan, True, "3", 0, -1])
def test_a_bound_that_is_no_whole_number_is_told(n_units):
    with pytest.raises(ParamsError, match=f"n_units: {n_units!r} is no whole number"):
        critnb.event_counts(TOY, n_units=n_units)


def test_a_bound_below_the_counts_is_refused():
    assert critnb.event_counts(TOY * 3, n_units=7).n_units == 7
    with pytest.raises(ValueError, match="holds 3 events, more than n_units = 2"):
        critnb.event_counts(TOY * 3, n_units=2)


def runs_of_active_bins(row: np.ndarray) -> list[int]:
    """Sizes of avalanches between empty bins, as Beggs and Plenz define them, by splitting text."""
    words = "".join(chr(value + 1) if value else " " for value in row).split(" ")
    return [sum(ord(letter) - 1 for letter in word) for word in words if word]


@given(
    arrays.arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(4, 60)), elements=st.integers(0, 2)),
    st.integers(1, 2),
)
def test_avalanches_of_a_population_lie_between_empty_bins(spikes, bin_size):
    steps = spikes.shape[1] // bin_size * bin_size
    binned = spikes[:, :steps].sum(axis=0).reshape(-1, bin_size).sum(axis=1)
    found = critnb.avalanches(critnb.population_activity(spikes, bin_size=bin_size))
    assert found.size.tolist() == runs_of_active_bins(binned)
    active = np.flatnonzero(binned)
    cut = {0, len(binned) - 1} & set(active)
    assert found.touches_edge.sum() == (1 if len(found) == 1 and cut else len(cut))
    assert set(found.to_frame()["l_min"]) <= {0}
    labels = found.labels()
    assert labels.shape == (1, 1, len(binned))
    np.testing.assert_array_equal(labels[0, 0] >= 0, binned > 0)


def test_a_recording_is_cut_into_windows_and_the_rest_left_out():
    spikes = np.arange(23)[None] + 1
    events = critnb.population_activity(spikes, bin_size=2, window=3)
    np.testing.assert_array_equal(events.counts[:, 0], [[3, 7, 11], [15, 19, 23], [27, 31, 35]])
    assert events.n_units == 1 * 2 * 23  # units, steps of a bin, and the most that a step was seen to hold
    trials = critnb.population_activity(np.stack([spikes, spikes]), bin_size=2, window=3)
    np.testing.assert_array_equal(trials.counts, np.concatenate([events.counts, events.counts]))
    for options in ({"bin_size": 20}, {"window": 24}, {"window": 1}):
        with pytest.raises(DataError, match="population activity: 23 steps"):
            critnb.population_activity(spikes, **options)


@pytest.mark.parametrize("name", ["bin_size", "window"])
@pytest.mark.parametrize("number", [4.0, 0, -1, "4", True])
def test_a_bin_or_window_that_is_no_whole_number_is_told_by_its_name(name, number):
    with pytest.raises(ParamsError, match=f"{name}: {number!r} is no whole number"):
        critnb.population_activity(np.ones((2, 40), dtype=int), **{name: number})


def test_sites_are_the_occupied_ones():
    frame = critnb.event_counts(TOY * 2).sites()
    assert frame[["layer", "token", "events"]].to_numpy().tolist() == [[1, 1, 2], [1, 2, 2], [2, 2, 2]]
