"""S06ARC: multiple-choice questions answered at g1 and at every chosen gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, DatasetRole, GCondition, Stage
from critnb.criticality.answers import Answers, with_intervals
from critnb.gates import Gate
from critnb.language.choices import ChoiceScorer, EncodedQuestion, Reuse, encode, prompt_reuse
from critnb.questions import Question
from critnb.report.assembly import finished
from critnb.report.figures.f07_arc import arc_mcq
from critnb.report.provenance import Provenance
from critnb.report.schema import T03
from critnb.report.style import Rendered, save_figure
from critnb.report.tables import write_table
from critnb.session import Arrays, StageSession
from critnb.steps import selection

_BASELINE = CANON.CONST.GAIN_BASELINE
_ACCURACY = "accuracy"
_MARGIN = "mean_logprob_correct_minus_incorrect"
# the contract's columns; every other statistic is optional and named so
_REQUIRED = {_ACCURACY, f"{_ACCURACY}_ci_low", f"{_ACCURACY}_ci_high", _MARGIN}
_CHOSEN_BY = {_ACCURACY: "letter", "acc_text": "text", "acc_norm": "text_per_byte"}
Statistics = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the notebook shows: the table, the scores of every choice, and what was left out."""

    table: pd.DataFrame
    scores: pd.DataFrame
    statistics: Mapping[float, Statistics]
    chance: float
    n_questions: int
    n_skipped: int
    context_length: int | None
    reuse: Reuse
    provenance: Provenance


@dataclass(frozen=True)
class _Asked:
    """The questions, as text and as tokens, and the places of those that fit the model's context."""

    questions: Sequence[Question]
    encoded: Sequence[EncodedQuestion]
    answered: Sequence[int]

    @property
    def to_score(self) -> list[EncodedQuestion]:
        return [self.encoded[place] for place in self.answered]

    @property
    def n_skipped(self) -> int:
        return len(self.questions) - len(self.answered)


def evaluate(stage: StageSession) -> Evaluation:
    """Score every question that fits the context at g1 and at each distinct g*; writes scores and table T03."""
    gstar = selection.load(stage.upstream(Stage.S02B))
    asked = _ask(stage)
    with stage.step("try the cache"):
        reuse = prompt_reuse(stage.model, asked.to_score)
    answers = {
        gain: _answers(asked, _score(stage, gain, asked, reuse)) for gain in sorted({_BASELINE, *gstar.values()})
    }
    statistics = _statistics(stage, answers)
    scores = pd.concat([_rows(asked, gain, each) for gain, each in answers.items()], ignore_index=True)
    chance = answers[_BASELINE].chance()
    provenance = Provenance.of(stage.run, stage.run.record.model)
    counts = {"n_questions": len(asked.answered), "opt_n_skipped": asked.n_skipped, "opt_chance": chance}
    table = finished(_table(stage, gstar, statistics).assign(**counts), T03, provenance)
    stage.save_parquet(CANON.OUTPUT.ARC_SCORES_PARQUET_BASENAME, scores)
    write_table(stage.run, CANON.TABLE.T03_ARC, table)
    context = stage.model.context_length
    found = Evaluation(
        table, scores, statistics, chance, len(asked.questions), asked.n_skipped, context, reuse, provenance
    )
    _summarise(stage, found)
    return found


def _ask(stage: StageSession) -> _Asked:
    questions, context = stage.questions(), stage.model.context_length
    encoded = encode(questions, stage.model.tokenizer)
    fits = [place for place, each in enumerate(encoded) if context is None or each.n_tokens <= context]
    return _Asked(questions, encoded, fits)


def _score(stage: StageSession, gain: float, asked: _Asked, reuse: Reuse) -> Arrays:
    """Return the scores at a gain; a finished gain survives an interruption as a checkpoint."""
    label = f"answer at gain {gain:g}"

    def compute() -> Arrays:
        scorer = ChoiceScorer(stage.model, batch_tokens=stage.params.compute.batch_tokens, reuse=reuse.allowed)
        with stage.progress(label, len(asked.answered), "question") as advance:
            scores = scorer.score(asked.to_score, gain, advance)
        return {"letter": scores.letter, "text": scores.text}

    return stage.checkpointed(label.replace(" ", "_"), compute)


def _answers(asked: _Asked, arrays: Arrays) -> Answers:
    questions = [asked.questions[place] for place in asked.answered]
    n_bytes = np.full(arrays["text"].shape, np.nan)
    for place, question in enumerate(questions):
        n_bytes[place, : len(question.choices)] = [len(choice.encode()) for choice in question.choices]
    answer = np.array([question.answer for question in questions], dtype=np.int64)
    return Answers(arrays["letter"], arrays["text"], n_bytes, answer)


def _statistics(stage: StageSession, answers: Mapping[float, Answers]) -> dict[float, Statistics]:
    """Return each gain's measures with intervals, and under ``..._vs_g1`` their paired differences from the baseline."""
    analysis = stage.params.analysis
    baseline = answers[_BASELINE].per_question()
    statistics: dict[float, Statistics] = {}
    for gain, each in answers.items():
        measures = each.per_question()
        measures |= {f"{name}_vs_g1": values - baseline[name] for name, values in measures.items()}
        statistics[gain] = with_intervals(measures, replicates=analysis.bootstrap_reps, seed=analysis.bootstrap_seed)
    return statistics


def _rows(asked: _Asked, gain: float, answers: Answers) -> pd.DataFrame:
    """Return one row a choice: its scores and whether it was chosen; NaN and false for a question that was left out."""
    chosen = answers.chosen()
    row_of = {place: row for row, place in enumerate(asked.answered)}
    rows = []
    for number, question in enumerate(asked.questions):
        row = row_of.get(number)
        for place, (label, choice) in enumerate(zip(question.labels, question.choices, strict=True)):
            rows.append(
                {
                    "question_id": question.id,
                    "gain": gain,
                    "choice": place,
                    "label": label,
                    "logprob_letter": np.nan if row is None else answers.letter[row, place],
                    "logprob_text": np.nan if row is None else answers.text[row, place],
                    "n_bytes": len(choice.encode()),
                    "is_answer": place == question.answer,
                    **{
                        f"chosen_by_{word}": row is not None and bool(chosen[name][row] == place)
                        for name, word in _CHOSEN_BY.items()
                    },
                    "skipped": row is None,
                    "n_tokens": asked.encoded[number].n_tokens,
                }
            )
    return pd.DataFrame(rows)


def _table(
    stage: StageSession,
    gstar: Mapping[tuple[str, float], float],
    statistics: Mapping[float, Statistics],
) -> pd.DataFrame:
    rows = []
    for (spike_def, rate), chosen in gstar.items():
        for condition, gain in ((GCondition.g1, _BASELINE), (GCondition.gstar, chosen)):
            row: dict[str, Any] = {
                "model_role": str(stage.role),
                "dataset_role": str(DatasetRole.ARC_MCQ),
                "spike_def_id": spike_def,
                "target_rate": rate,
                "g_condition": str(condition),
                "g": gain,
            }
            for name, found in statistics[gain].items():
                for end, value in zip(("", "_ci_low", "_ci_high"), found, strict=True):
                    # g1 is what the others are compared with
                    is_reference = condition is GCondition.g1 and name.endswith("_vs_g1")
                    column = f"{name}{end}"
                    row[column if column in _REQUIRED else f"opt_{column}"] = np.nan if is_reference else value
            rows.append(row)
    return pd.DataFrame(rows)


def _summarise(stage: StageSession, found: Evaluation) -> None:
    stage.summary(
        n_questions=found.n_questions,
        n_skipped=found.n_skipped,
        chance=_jsonable(found.chance),
        prompt_reuse={"used": found.reuse.allowed, "reason": found.reuse.reason},
        by_gain={
            f"{gain:g}": {name: _jsonable(value) for name, (value, _, _) in each.items()}
            for gain, each in found.statistics.items()
        },
    )


def _jsonable(value: float) -> float | None:
    return None if np.isnan(value) else value


def figure(stage: StageSession, found: Evaluation) -> Rendered:
    """Draw and write F07."""
    return save_figure(stage.run, CANON.FIGURE.F07_ARC_MCQ, arc_mcq(found.table), found.provenance)


def gates(found: Evaluation) -> list[Gate]:
    """Return the gates of S06ARC: every question fits the context, and the unchanged model knows more than chance."""
    value, low, high = found.statistics[_BASELINE][_ACCURACY]
    return [
        Gate.judge(
            "questions within the context",
            passed=not found.n_skipped,
            value=f"{found.n_questions - found.n_skipped} of {found.n_questions}",
            condition="every prompt with its longest choice fits the model's context",
            reason=f"{found.n_skipped} are left out of every accuracy" if found.n_skipped else "",
        ),
        Gate.judge(
            "accuracy by letter at g1 above chance",
            passed=None if np.isnan(low) else low > found.chance,
            value=value,
            condition=f"the interval's lower end is above chance, {found.chance:.3f}",
            reason=f"95 % interval {low:.3f} to {high:.3f}; where it is not, the answers say little about any gain",
        ),
    ]
