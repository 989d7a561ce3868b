"""What came of gates, in a line."""

from __future__ import annotations

import pytest

from critnb.gates import Gate, JudgedGates, Verdict, summed_up

GOOD, BAD, NONE = Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE


@pytest.mark.parametrize(
    ("verdicts", "line"),
    [
        ([], "no gates"),
        ([GOOD], "1 gate passes"),
        ([GOOD] * 3, "3 gates pass"),
        ([GOOD, BAD], "1 gate passes, 1 gate fails (g1)"),
        ([BAD, GOOD, GOOD, BAD], "2 gates pass, 2 gates fail (g0; g3)"),
        ([BAD] * 4, "4 gates fail (g0; g1 and 2 more)"),
        ([GOOD, NONE], "1 gate passes, 1 gate not available (g1)"),
        ([NONE, BAD], "1 gate not available (g0), 1 gate fails (g1)"),
    ],
)
def test_gates_in_a_line(verdicts, line):
    recorded = [Gate(f"g{place}", 1.0, "", verdict).as_dict() for place, verdict in enumerate(verdicts)]
    assert summed_up(recorded) == line


def test_of_two_gates_with_one_name_the_later_counts():
    judged = JudgedGates()
    assert (judged.verdict(), judged.not_passed()) == ("0 of 0 gates passed", [])
    judged.add([Gate("a", 1.0, "", BAD), Gate("b", 1.0, "", GOOD), Gate("c", None, "", NONE)])
    assert (judged.verdict(), judged.not_passed()) == ("1 of 3 gates passed", ["a", "c"])
    judged.add([Gate("a", 2.0, "", GOOD)])
    assert (judged.verdict(), judged.not_passed()) == ("2 of 3 gates passed", ["c"])
    assert [(each["name"], each["value"]) for each in judged.as_dicts()] == [("a", 2.0), ("b", 1.0), ("c", None)]
