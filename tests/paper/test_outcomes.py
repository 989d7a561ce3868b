"""Whatever comes out, none, some, all or nothing available: sentences as a person would write them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper.made_study import with_table
from paper.test_paper import facts_of, words_of
from paper.test_shapes import UNGRAMMATICAL, only

from critnb.canon import CANON, Criterion
from critnb.gates import Verdict
from critnb.paper.claims import c1_rates, c2_branching, c4_spikedef, c5_propagation
from critnb.report.words import among

# counts that nobody would write, spaces and clauses that hang, and words that do not agree
STIFF = re.compile(
    r"\b0 (?:of|conditions?|rates?|thresholds?|lack)\b|\b(?:in|at) 0\b(?!\.)|\b(?:all|both) (?:0|1|no|none|one|two)\b|  |"
    r"[,;:] ?[.,;:]|\(\s*\)|\[\s*\]|\bnan\b|\bNone\b|\b(?:in|at|of|and|or|that|is|with|the) ?[.;)]|"
    r"\bone (?:do|lack|are|rates|conditions)\b|\b(?:two|three|four|five|six) (?:does|lacks|is)\b|\bof (?:one|1)\b"
)
COUNTS = st.integers(0, 7)


@pytest.mark.parametrize(
    "words",
    [
        "0 of 6 conditions",
        "in 0 of them",
        "all one rate",
        "a  b",
        "so, .",
        "is nan",
        "they agree at .",
        "two lacks",
        "one of one",
    ],
)
def test_what_nobody_would_write_is_found(words):
    assert STIFF.search(words)


def fine(sentence: str) -> None:
    assert STIFF.search(sentence) is None, sentence
    assert UNGRAMMATICAL.search(sentence) is None, sentence


@given(COUNTS, COUNTS, COUNTS)
def test_a_share_is_told_as_none_some_or_all(n, more, unknown):
    said = among(n, n + more, "rate")
    fine(f"It holds at {said}.")
    assert ("none" in said or "no rate" in said) == (n == 0)
    assert said.startswith(("all", "both", "the one")) == (n > 0 and more == 0)


@given(COUNTS, COUNTS, COUNTS, st.integers(0, 3))
def test_c5_in_every_outcome(hold, fail, unknown, below):
    numbers = {"conditions": hold + fail + unknown, "hold": hold, "fail": fail, "unknown": unknown, "below": min(below, fail),
               "sigma_low": -0.02, "sigma_high": 0.1}  # fmt: skip
    fine(c5_propagation._reason(numbers, ["no event was put out", "another"][: unknown and 2]))


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_c4_in_every_outcome(agree, disagree, unknown, same):
    numbers = {"rates": agree + disagree + unknown + same, "agree": agree, "disagree": disagree, "unknown": unknown, "same": same,
               "apart_low": 7.0, "apart_high": 9.0}  # fmt: skip
    fine(c4_spikedef._reason(numbers, ["one-sided", "two-sided"]))


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.data())
def test_c2_in_every_outcome(hold, failing, unknown, without, data):
    numbers = {"contrasts": hold + failing + unknown, "hold": hold, "rise": data.draw(st.integers(0, hold))}
    lacking = pd.DataFrame({"why": ["no window has a successor"] * unknown})
    fine(c2_branching._reason(numbers, lacking, failing=failing, without=without))


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_c1_in_every_outcome(passed, missed, unknown, tied, silent):
    ties = pd.DataFrame({"off": [3.0] * tied, "target_events": [40.0] * tied})
    fine(c1_rates._of_thresholds(passed + missed + tied, missed, unknown, ties))
    for ratio in (pd.Series([1.1, 1.3]), pd.Series([np.nan])):
        fine(c1_rates._of_raster(ratio, silent))


@pytest.mark.parametrize("turn", range(3))
def test_the_filled_paper_over_verdicts(base, turn):
    """Each criterion passes, fails and is not available in turn, so that every count is none, some or all."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        places = frame["criterion_id"].map({id_: place for place, id_ in enumerate(Criterion)})
        # every other criterion has one verdict in all conditions
        own = frame.groupby("criterion_id").cumcount().where(places % 2 == 0, 0)
        return frame.assign(verdict=[list(map(str, Verdict))[n % 3] for n in places + own + turn])

    facts = facts_of(with_table(only(target_rate=[1e-5, 2e-5])(base), CANON.TABLE.T08_SIGNATURES, change))
    sections = words_of(facts)
    for section in ("00", "01", "05"):
        fine(re.sub(r"\|[^|]*(?=\|)|\]\([^)]*\)|`[^`]*`", "", sections[section]).replace("  ", " "))
