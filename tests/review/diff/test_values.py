"""Values against values: what counts as a difference, and how large the largest is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.review.diff.files import frames_differ, json_differ, npz_differ
from critnb.review.diff.values import Difference, Extreme, arrays_differ, merged

numbers = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0])
pairs = st.lists(st.tuples(numbers, numbers) | numbers.map(lambda value: (value, value)), max_size=30)


def differ(old, new) -> Difference:
    return arrays_differ(np.asarray(old), np.asarray(new), str)


def brute_force(old: list[float], new: list[float]) -> tuple[int, int, float | None, float | None]:
    """Pair by pair in plain Python: how many differ, how many without a size, largest absolute and relative."""
    apart = [(a, b) for a, b in zip(old, new, strict=True) if a != b and not (math.isnan(a) and math.isnan(b))]
    sized = [(a, b) for a, b in apart if not (math.isnan(a) or math.isnan(b))]
    absolute = [abs(b - a) for a, b in sized]
    relative = [math.inf if math.isinf(b - a) else abs(b - a) / max(abs(a), abs(b)) for a, b in sized]
    return len(apart), len(apart) - len(sized), max(absolute, default=None), max(relative, default=None)


@given(pairs)
def test_numbers_are_compared_as_a_loop_would(both):
    old, new = [a for a, _ in both], [b for _, b in both]
    found = differ(np.array(old, dtype=float), np.array(new, dtype=float))
    count, unsized, absolute, relative = brute_force(old, new)
    assert (found.values, found.differing, found.without_size) == (len(both), count, unsized)
    assert (found.absolute and found.absolute.size) == absolute
    assert (found.relative and found.relative.size) == (relative if relative is None else pytest.approx(relative))


@given(pairs)
def test_the_order_of_the_runs_does_not_matter_but_for_signs(both):
    old, new = np.array([a for a, _ in both], dtype=float), np.array([b for _, b in both], dtype=float)
    one, other = differ(old, new), differ(new, old)
    assert one.differing == other.differing
    assert (one.absolute is None) == (other.absolute is None)
    if one.absolute and other.absolute:
        assert (one.absolute.size, one.absolute.old) == (other.absolute.size, other.absolute.new)


def test_where_and_what():
    found = differ([1.0, 2.0, 1000.0, math.nan], [1.0, 3.0, 1001.0, 4.0])
    assert found.absolute == Extreme(1.0, "1", 2.0, 3.0)
    assert found.relative == Extreme(pytest.approx(1 / 3), "1", 2.0, 3.0)
    assert (found.differing, found.without_size, found.example) == (3, 1, "3: nan -> 4.0")


def test_relative_is_two_at_most_and_one_from_zero():
    assert differ([-1.0], [1.0]).relative == Extreme(2.0, "0", -1.0, 1.0)
    assert differ([0.0], [1e-30]).relative == Extreme(1.0, "0", 0.0, 1e-30)


def test_small_unsigned_numbers_do_not_wrap_around():
    assert differ(np.array([0], np.uint16), np.array([1], np.uint16)).absolute == Extreme(1.0, "0", 0.0, 1.0)
    assert differ(np.array([3], np.uint8), np.array([1], np.uint8)).absolute == Extreme(2.0, "0", 3.0, 1.0)


def test_words_and_truth_values_differ_without_a_size():
    found = differ(np.array(["a", "b"], dtype=object), np.array(["a", "c"], dtype=object))
    assert (found.differing, found.without_size, found.absolute, found.example) == (1, 1, None, "1: b -> c")
    assert differ([True, False], [True, True]).without_size == 1


def test_merged_parts_add_up_and_keep_the_first_of_equal_extremes():
    whole = merged([differ([1.0], [2.0]), differ([5.0], [6.0]), differ([7.0], [7.0])], ["remark"])
    assert (whole.values, whole.differing, whole.remarks) == (3, 2, ("remark",))
    assert whole.absolute == Extreme(1.0, "0", 1.0, 2.0)
    assert not whole.same
    assert merged([]).same


def test_arrays_by_name_shape_and_entry():
    old = {"X": np.zeros((2, 3)), "tau": np.array(2.5), "gone": np.zeros(1), "shape": np.zeros(2)}
    new = {"X": np.zeros((2, 3)), "tau": np.array(2.0), "come": np.zeros(1), "shape": np.zeros(3)}
    new["X"][1, 2] = 4.0
    found = npz_differ(old, new)
    assert found.absolute == Extreme(4.0, "X[1, 2]", 0.0, 4.0)
    assert (found.values, found.differing, found.parts) == (7, 2, ("X", "tau"))
    assert set(found.remarks) == {
        "only the first has array gone",
        "only the second has array come",
        "shape has shape [2] against [3]",
    }


def test_another_dtype_is_said_and_the_values_compared():
    found = npz_differ({"a": np.zeros(3, np.int32)}, {"a": np.zeros(3, np.int64)})
    assert (found.differing, found.remarks) == (0, ("a is int32 against int64",))


def test_json_by_key():
    old = {"g": 1.0, "n": 3, "list": [1, {"x": 2.0}], "word": "a", "on": True, "null": None, "gone": 1}
    new = {"g": 1.5, "n": 3, "list": [1, {"x": 2.25}], "word": "b", "on": 1, "null": 0.0, "come": {"a": 1}}
    found = json_differ(old, new)
    assert found.absolute == Extreme(0.5, "g", 1.0, 1.5)
    assert found.relative == Extreme(pytest.approx(1 / 3), "g", 1.0, 1.5)
    assert found.values == 7
    # True is no number, though Python finds it equal to one
    assert (found.differing, found.without_size, found.example) == (5, 3, "word: a -> b")
    assert found.remarks == ("only the first has key gone", "only the second has key come.a")


@pytest.mark.parametrize("value", [{}, [], None, 3, {"a": {}, "b": [[]]}, 10**400])
def test_json_equals_itself(value):
    assert json_differ(value, value).same


def test_huge_whole_numbers_are_compared_exactly():
    assert json_differ({"a": 2**60}, {"a": 2**60 + 1}).differing == 1


def test_frames_without_a_schema_need_as_many_rows(frame):
    assert frames_differ("results/x.parquet", frame, frame.iloc[:2]).remarks == (
        "3 rows against 2, not compared row by row",
    )
    changed = frame.assign(b=[0.1, 0.2, 0.4], only=1)
    found = frames_differ("results/x.parquet", frame.assign(old=1), changed)
    assert found.absolute == Extreme(pytest.approx(0.1), "b at row 2", 0.3, 0.4)
    assert (found.values, found.parts) == (6, ("b",))
    assert found.remarks == ("only the first has column old", "only the second has column only")
