"""The paper over the shapes of params: fewer gains, rates, definitions, interventions, questions; filled in a moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from paper.made_study import with_table
from paper.test_paper import facts_of, words_of

from critnb.canon import CANON, PACK_ROOT, Intervention, SpikeDef, Stage
from critnb.gates import Verdict
from critnb.paper import PaperFacts
from critnb.paper.claims import ClaimVerdict, RoleEvidence
from critnb.report.schema import T07

TABLE = CANON.TABLE
Change = Callable[[pd.DataFrame], pd.DataFrame]
Shaped = tuple[PaperFacts, dict[str, str]]
# numbers with a noun that does not agree, ranges of nothing, and an interval without ends
UNGRAMMATICAL = re.compile(
    r"(?<![\d.])1 (?:condition|rate|window|choice|question|threshold|gain|layer)s\b|\ball 1\b|\b0 of 0\b|– to –|\[–|"
    r"[:;] ?[.;]|\(\)|\bnan\b|\bNone\b|  "
)


def everywhere(evidence: RoleEvidence, change: Change) -> RoleEvidence:
    """The evidence with every frame changed that has definitions and rates."""
    for name in evidence.tables:
        evidence = with_table(evidence, name, change)
    thresholds = {stage: replace(each, frame=change(each.frame)) for stage, each in evidence.thresholds.items()}
    return replace(
        evidence,
        thresholds=thresholds,
        choices=replace(evidence.choices, frame=change(evidence.choices.frame)),
        grid=replace(evidence.grid, frame=change(evidence.grid.frame)),
    )


def only(**wanted: Any) -> Callable[[RoleEvidence], RoleEvidence]:
    """What is left where params name these values alone."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for column, values in wanted.items():
            frame = frame[frame[column].isin(values)] if column in frame else frame
        return frame

    return lambda evidence: everywhere(evidence, change)


def at_one_gain(evidence: RoleEvidence) -> RoleEvidence:
    """A grid of the baseline alone: g* is g1, and there is no peak."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        marks = {"opt_is_gstar": True, "gstar": 1.0, "at_grid_edge": True, "crosses_one": False}
        chosen = {name: value for name, value in marks.items() if name in frame}
        if "g_condition" in frame or "criterion_id" in frame:
            return frame.assign(g=1.0)
        for name in ("g", "gain"):
            frame = frame[frame[name] == 1.0] if name in frame else frame
        return frame.assign(**chosen)

    return everywhere(evidence, change)


def no_question(evidence: RoleEvidence) -> RoleEvidence:
    """Every question is longer than the context: no accuracy, no difference, no chance."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        lost = [name for name in frame if frame[name].dtype == np.float64 and name not in ("target_rate", "g")]
        return frame.assign(**dict.fromkeys(lost, np.nan), n_questions=0, opt_n_skipped=7)

    return with_table(evidence, TABLE.T03_ARC, change)


def without_branching(evidence: RoleEvidence) -> RoleEvidence:
    """No resample has an interval, and tables say why."""
    for name in (TABLE.T01_SUMMARY, TABLE.T02_GENERALIZATION, TABLE.T06_ABLATIONS):

        def change(frame: pd.DataFrame) -> pd.DataFrame:
            lost = [each for each in frame if "delta_b_tot" in each]
            return frame.assign(**dict.fromkeys(lost, np.nan), opt_reason_branching="no window has a successor")

        evidence = with_table(evidence, name, change)
    return evidence


def unavailable(evidence: RoleEvidence) -> RoleEvidence:
    """Nothing of T08 is available, each for a reason of its own."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        reasons = [f"reason {place:03d}" for place in range(len(frame))]
        return frame.assign(verdict=str(Verdict.NOT_AVAILABLE), value=np.nan, reason=reasons)

    return with_table(evidence, TABLE.T08_SIGNATURES, change)


def one_raster(evidence: RoleEvidence) -> RoleEvidence:
    same = {"opt_spike_def_sites_apart": 0.0, "opt_spike_def_overlap": 1.0}
    return with_table(evidence, TABLE.T01_SUMMARY, lambda frame: frame.assign(**same))


def readme_interventions() -> list[str]:
    """Return the interventions of the first params file that README shows."""
    (block,) = [each for each in re.findall(r"```yaml\n(.*?)```", (PACK_ROOT / "README.md").read_text(), re.DOTALL)
                if "mine.yaml" in each]  # fmt: skip
    return list(yaml.safe_load(block)["gain"]["interventions"])


ONE, TWO = map(str, SpikeDef)
TWO_RATES = only(target_rate=[1e-5, 2e-5])  # two are several, and take half the time of four
SHAPES: dict[str, Callable[[RoleEvidence], RoleEvidence]] = {
    "all": lambda evidence: evidence,
    "readme": only(intervention_id=readme_interventions()),
    "one definition": only(spike_def_id=[ONE]),
    "the other definition": only(spike_def_id=[TWO]),
    "one rate": only(target_rate=[2e-5]),
    "one gain": at_one_gain,
    "least": lambda evidence: at_one_gain(
        only(spike_def_id=[ONE], target_rate=[2e-5], intervention_id=[Intervention.MLP_GLOBAL])(evidence)
    ),
    "one condition": only(spike_def_id=[ONE], target_rate=[2e-5], intervention_id=[Intervention.MLP_GLOBAL]),
    "no question": no_question,
    "no interval": without_branching,
    "nothing available": unavailable,
    "one raster": one_raster,
}


@pytest.fixture(scope="module")
def shaped(base, instruct) -> Callable[[str], Shaped]:
    """The study of a shape with both roles, so that every sentence is in its longer form, and its sections in words."""

    @cache
    def made(name: str) -> Shaped:
        facts = facts_of(*(SHAPES[name](TWO_RATES(each)) for each in (base, instruct)))
        return facts, words_of(facts)

    return made


@pytest.mark.parametrize(
    "words", ["in 1 conditions that", "all 1 choices", "0 of 0", "0.1 [–, –]", "is nan.", "BASE: ."]
)
def test_what_is_no_grammatical_english_is_found(words):
    assert UNGRAMMATICAL.search(words)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_makes_a_paper_in_grammatical_words(shaped, name):
    _, sections = shaped(name)
    for words in sections.values():
        assert UNGRAMMATICAL.search(words) is None, UNGRAMMATICAL.search(words)


@pytest.mark.parametrize("name", SHAPES)
def test_whatever_is_not_available_has_its_reason(shaped, name):
    facts, sections = shaped(name)
    for claimed in facts.claims:
        for role, judged in claimed.by_role.items():
            if judged.verdict is ClaimVerdict.NOT_AVAILABLE:
                short = str(claimed.id).partition("_")[0]
                assert f"{short} is not available in {role}: {judged.reason}." in sections["00"]
    for evidence in facts.roles:
        t08 = evidence.tables[TABLE.T08_SIGNATURES].frame
        for reason in t08.loc[t08["verdict"] == Verdict.NOT_AVAILABLE, "reason"]:
            assert f"| {reason} |" in sections["08"]
    if facts.replication is None:
        assert f"{T07.name.split('_')[1]} is not available: {facts.replication_reason}." in sections["04"]


SAID = [
    ("readme", "08", "The chosen gain put on all MLPs; no other intervention was measured."),
    ("readme", "03", "| windows of A_cal, on which thresholds and g* are fitted | 24 |"),
    ("all", "08", "The chosen gain put on all MLPs and on other parts of the model."),
    ("all", "04", "| 1e-05 | 90.7% to 91.3% | 700 to 1300 |"),
    ("one definition", "00", "C4 is not available in BASE: only one-sided events were measured."),
    ("one definition", "03", "this study measured one-sided events alone."),
    ("one definition", "04", "shows the one definition that was measured."),
    ("the other definition", "05", "is not available: in BASE only two-sided events were measured"),
    ("one rate", "03", "The target rate, as a mean over layers, is 2e-05 events a unit and token."),
    ("one rate", "01", "at the one rate in BASE"),
    ("one gain", "01", "The grid has no gain but that of the unchanged model, and g* is no choice."),
    (
        "one gain",
        "01",
        "in BASE g* is g1 in all four conditions, so there is no gain to compare with the unchanged model",
    ),
    ("one gain", "03", "g is 1 alone, the unchanged model, g1."),
    ("one gain", "04", "g* is g1 in every condition, and there is no change to report."),
    ("least", "04", "C2 is **not available** in BASE: g* is g1 in the one condition, so there is no gain to compare"),
    ("least", "04", "the one choice follows from the metrics named and stands unchanged"),
    ("one condition", "01", "in the one condition that allows the comparison in BASE"),
    (
        "no question",
        "04",
        "answers no question, and accuracies are not available: each of the 7 that there are is longer",
    ),
    ("no interval", "04", "A dash, or a number without its interval, is not available: no window has a successor."),
    ("no interval", "00", "lack an interval or a null: no window has a successor"),
    ("one raster", "00", "C4 is not available in BASE: both definitions give the same events at every rate and gain"),
    ("one raster", "04", "| 1e-05 | 100.0% | 0 |"),
    ("one raster", "01", "is not available: in BASE both definitions give the same events"),
]


@pytest.mark.parametrize(("name", "section", "said"), SAID)
def test_the_wording_follows_the_shape(shaped, name, section, said):
    assert said in shaped(name)[1][section].replace("\u00a0", " ")


def test_b_that_is_the_text_of_a_is_not_called_another(base):
    def words(*, of_b: str) -> dict[str, str]:
        run = base.runs[Stage.S06B]
        sections = {**run.inputs.sections, "data": {"B": {"content_sha256": of_b}}}
        record = replace(run.record, hash_inputs=replace(run.inputs, sections=sections))
        return words_of(facts_of(replace(base, runs={**base.runs, Stage.S06B: replace(run, record=record)})))

    text_of_a = base.runs[Stage.S02].inputs.sections["data"]["A"]["content_sha256"]
    assert "In this study B is the same text as A" in words(of_b=text_of_a)["04"]
    assert "the same text as A" not in words(of_b="b" * 64)["04"]
