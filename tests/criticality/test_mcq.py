"""Statistics of answers: closed forms, NumPy's own, and what ties, unequal numbers of choices and no questions give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from critnb.criticality.mcq import Answers, with_intervals

NAN = np.nan


def answers(letter, text=None, n_bytes=None, answer=0) -> Answers:
    letter = np.array(letter, dtype=np.float64)
    text = letter if text is None else np.array(text, dtype=np.float64)
    n_bytes = np.where(np.isnan(letter), NAN, 1.0) if n_bytes is None else np.array(n_bytes, dtype=np.float64)
    return Answers(letter, text, n_bytes, np.broadcast_to(answer, len(letter)).astype(np.int64))


def test_the_three_ways_of_choosing():
    # by text the short choice wins; per byte -9/10 beats -4/4
    one = answers([[-1.0, -2.0, -3.0]], text=[[-9.0, -4.0, -30.0]], n_bytes=[[10, 4, 10]])
    assert {name: np.flatnonzero(taken[0]).tolist() for name, taken in one.taken().items()} == {
        "accuracy": [0],
        "acc_text": [1],
        "acc_norm": [0],
    }
    measures = one.per_question()
    assert [measures[name][0] for name in ("accuracy", "acc_text", "acc_norm")] == [1.0, 0.0, 1.0]
    assert measures["mean_logprob_correct_minus_incorrect"][0] == pytest.approx(-1.0 - (-2.5))


def test_a_right_choice_that_ties_counts_as_often_as_drawing_one_would_be_right():
    equal = answers([[-1.0, -1.0, -1.0, NAN], [-2.0, -1.0, -1.0, -1.0], [-1.0, -1.0, -2.0, -3.0]], answer=[2, 0, 1])
    assert equal.taken()["accuracy"].sum(axis=1).tolist() == [3, 3, 2]
    assert equal.per_question()["accuracy"].tolist() == [1 / 3, 0.0, 1 / 2]
    assert equal.n_ties()["accuracy"] == 3


@given(st.lists(st.integers(3, 5), min_size=1, max_size=6), st.data())
def test_a_model_that_knows_nothing_is_right_as_often_as_chance(sizes, data):
    scores = np.array([[-2.0] * size + [NAN] * (5 - size) for size in sizes])
    blind = answers(scores, answer=[data.draw(st.integers(0, size - 1)) for size in sizes])
    for name in ("accuracy", "acc_text", "acc_norm"):
        assert blind.per_question()[name].mean() == pytest.approx(blind.chance(name))


def test_a_question_that_is_left_out_by_letter_counts_by_text_alone():
    both = answers(
        [[NAN] * 4, [-1.0, -2.0, -3.0, NAN]],
        text=[[-1.0, -2.0, -3.0, -4.0], [-1.0, -2.0, -3.0, NAN]],
        n_bytes=[[1, 1, 1, 1], [1, 1, 1, NAN]],
        answer=[0, 1],
    )
    measures = both.per_question()
    assert np.isnan(measures["accuracy"]).tolist() == [True, False]
    assert measures["acc_text"].tolist() == [1.0, 0.0]
    assert np.isnan(measures["mean_logprob_correct_minus_incorrect"][0])
    assert both.n_answered() == {"accuracy": 1, "acc_text": 2, "acc_norm": 2}
    assert (both.chance(), both.chance("acc_text")) == pytest.approx((1 / 3, (1 / 3 + 1 / 4) / 2))
    found = with_intervals(measures, replicates=50, seed=1)
    assert found["accuracy"][0] == 0.0
    assert found["acc_text"][0] == 0.5


def test_questions_that_are_left_out_change_no_interval_of_the_others():
    right = (np.arange(40) % 3 == 0).astype(np.float64)
    padded = np.insert(right, [0, 7, 40], NAN)
    plain, left_out = (with_intervals({"a": values}, replicates=200, seed=3)["a"] for values in (right, padded))
    assert left_out == plain


def test_choices_that_a_question_has_not_are_never_chosen_and_count_nowhere():
    three = answers([[-5.0, -4.0, -6.0, NAN, NAN]], answer=1)
    assert np.flatnonzero(three.taken()["accuracy"][0]).tolist() == [1]
    assert three.per_question()["mean_logprob_correct_minus_incorrect"][0] == pytest.approx(-4.0 + 5.5)
    assert three.chance() == pytest.approx(1 / 3)


def test_chance_is_the_mean_over_questions():
    mixed = answers([[0, 0, 0, NAN, NAN], [0, 0, 0, 0, NAN], [0, 0, 0, 0, 0]])
    assert mixed.chance() == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3)


def test_blind_scores_are_right_as_often_as_chance_says():
    rng = np.random.default_rng(3)
    n = 20_000
    scores = log_softmax(rng.normal(size=(n, 4)), axis=1)
    blind = answers(scores, answer=rng.integers(0, 4, n)).per_question()
    assert blind["accuracy"].mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / n))
    assert blind["mean_logprob_correct_minus_incorrect"].mean() == pytest.approx(0.0, abs=4 * np.sqrt(4 / 3 / n))


def test_intervals_are_the_binomial_s():
    n = 400
    right = (np.arange(n) < 100).astype(np.float64)
    value, low, high = with_intervals({"accuracy": right}, replicates=4000, seed=1)["accuracy"]
    assert value == 0.25
    half = 1.96 * np.sqrt(0.25 * 0.75 / n)
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.005)


def test_differences_are_paired():
    rng = np.random.default_rng(5)
    first = (rng.random(300) < 0.5).astype(np.float64)
    second = first.copy()
    second[:6] = 1.0 - second[:6]
    found = with_intervals({"one": first, "difference": second - first}, replicates=500, seed=1)
    width = {name: high - low for name, (_, low, high) in found.items()}
    # unpaired, the difference of two such accuracies would have an interval of about 0.16
    assert width["difference"] < 0.04
    assert width["one"] > 0.1


def test_the_same_answers_differ_by_nothing_with_certainty():
    same = np.ones(50)
    assert with_intervals({"difference": same - same}, replicates=50, seed=1)["difference"] == (0.0, 0.0, 0.0)


def test_without_questions_nothing_is_available():
    none = answers(np.empty((0, 1)))
    assert np.isnan(none.chance())
    assert all(np.isnan(found).all() for found in with_intervals(none.per_question(), replicates=9, seed=1).values())


@given(st.lists(st.permutations([0.0, -1.5, -3.0, -4.0]), min_size=1, max_size=8), st.integers(-50, 50))
def test_a_constant_added_to_a_question_s_scores_changes_nothing(scores, shift):
    plain, moved = answers(scores, answer=2), answers(np.array(scores) + shift, answer=2)
    for name, values in plain.per_question().items():
        if name != "acc_norm":
            assert moved.per_question()[name] == pytest.approx(values)
