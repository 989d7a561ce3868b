"""Questions that are left out: counted by reason from the stored scores alone, and what the gates make of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from critnb.gates import Gate, Verdict
from critnb.stages.s06arc_questions.tables import LeftOut, answers_of, question_gates

PASS, FAIL, NONE = Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE


def scores(*questions: str) -> pd.DataFrame:
    """Rows of three choices a question at two gains; a question's word says how it is left out."""
    rows = []
    for gain in (1.0, 1.3):
        for name in questions:
            by_letter = name in ("fine", "choices")
            by_text = name in ("fine", "labels")
            for choice in range(3):
                rows.append(
                    {
                        **{"question_id": name, "gain": gain, "choice": choice, "n_bytes": 2, "is_answer": choice == 1},
                        "logprob_letter": -1.0 - choice if by_letter else np.nan,
                        "logprob_text": -3.0 + choice if by_text else np.nan,
                        "skipped": name == "long",
                        "same_labels": name in ("labels", "both"),
                        "same_choices": name in ("choices", "both"),
                    }
                )
    return pd.DataFrame(rows)


def test_every_reason_is_counted_once_a_question():
    left_out = LeftOut.of(scores("fine", "long", "labels", "both", "choices"))
    assert left_out == LeftOut(asked=5, skipped=1, same_labels=2, same_choices=2)
    assert left_out.reason == (
        "1 of 5 exceed the model's context; 2 of 5 are left out by letter, as tokens do not tell their labels apart; "
        "2 of 5 are left out by text, as tokens do not tell their choices apart"
    )
    assert LeftOut.of(scores("fine")).reason == ""


def test_a_question_is_answered_in_the_ways_that_tell_its_choices_apart():
    answers = answers_of(scores("fine", "long", "labels", "both", "choices"))[1.3]
    assert answers.n_answered() == {"accuracy": 2, "acc_text": 2, "acc_norm": 2}
    assert len(answers.answer) == 3
    assert np.array_equal(answers.per_question()["accuracy"], [0.0, np.nan, 0.0], equal_nan=True)
    assert np.array_equal(answers.per_question()["acc_text"], [0.0, 0.0, np.nan], equal_nan=True)


def test_with_none_left_there_are_no_answers():
    answers = answers_of(scores("long", "both"))[1.0]
    assert answers.n_answered() == {"accuracy": 0, "acc_text": 0, "acc_norm": 0}
    assert np.isnan(answers.chance())


def judged(*questions: str, accuracy: tuple[float, float, float] = (0.5, 0.4, 0.6)) -> dict[str, Gate]:
    left_out = LeftOut.of(scores(*questions))
    row = dict(zip(("accuracy", "accuracy_ci_low", "accuracy_ci_high"), accuracy, strict=True))
    row["opt_chance"] = answers_of(scores(*questions))[1.0].chance()
    return {gate.name: gate for gate in question_gates(left_out, pd.Series(row))}


@pytest.mark.parametrize(
    ("questions", "expected"),
    [
        (["fine"], [PASS, PASS, PASS, PASS]),
        (["fine", "long"], [FAIL, PASS, PASS, PASS]),
        (["fine", "labels"], [PASS, FAIL, PASS, PASS]),
        (["fine", "choices"], [PASS, PASS, FAIL, PASS]),
    ],
)
def test_a_gate_fails_for_the_reason_that_occurs(questions, expected):
    assert [gate.verdict for gate in judged(*questions).values()] == expected


def test_gates_without_answers_are_not_available_and_say_why():
    gates = judged("long", accuracy=(np.nan,) * 3)
    assert [gate.verdict for gate in gates.values()] == [FAIL, NONE, NONE, NONE]
    assert all("1 of 1 exceed the model's context" in gate.reason for gate in [*gates.values()][1:])
    assert not any("nan" in f"{gate.condition} {gate.reason}" for gate in gates.values())
