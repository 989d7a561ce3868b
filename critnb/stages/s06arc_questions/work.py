"""S06ARC: multiple-choice questions answered at g1 and at every chosen gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import pandas as pd

from critnb.canon import CANON, DatasetRole, Stage
from critnb.criticality.mcq import Answers
from critnb.data.questions import Question
from critnb.model.choices import Answered, EncodedQuestion, Reuse, ReuseTried, encode, prompts
from critnb.pipeline.session import Arrays, StageSession
from critnb.report.figures.f07_arc import arc_mcq
from critnb.report.provenance import Provenance
from critnb.report.style import Rendered, save_figure
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.s06arc_questions.tables import ACCURACY, Tabulated, tabulate
from critnb.stages.shared import token_shares
from critnb.stages.shared.shards import mapped

_BASELINE = CANON.CONST.GAIN_BASELINE
_CHOSEN_BY = {ACCURACY: "letter", "acc_text": "text", "acc_norm": "text_per_byte"}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the notebook shows: the table, the scores of every choice, and what was left out."""

    tabulated: Tabulated
    shares: token_shares.Shares
    scores: pd.DataFrame
    context_length: int | None
    reuse: Reuse
    provenance: Provenance


@dataclass(frozen=True)
class _Asked:
    """The questions, as text and as tokens, and the places of those that are scored: they fit the context, and some way of
    answering tells their choices apart."""

    questions: Sequence[Question]
    shares: token_shares.Shares
    encoded: Sequence[EncodedQuestion]
    fits: Sequence[bool]

    @property
    def answered(self) -> list[int]:
        kinds = [each.letters.told_apart or each.texts.told_apart for each in self.encoded]
        return [place for place, (fits, any_way) in enumerate(zip(self.fits, kinds, strict=True)) if fits and any_way]

    @property
    def to_score(self) -> list[EncodedQuestion]:
        return [self.encoded[place] for place in self.answered]


def evaluate(stage: StageSession) -> Evaluation:
    """Score every question that can be answered at g1 and at each distinct g*; writes scores and table T03."""
    gstar = load_gstar(stage.upstream(Stage.S02B))
    asked = _ask(stage)
    scores, reuse = _scored(stage, asked, sorted({_BASELINE, *gstar.values()}))
    stage.save_parquet(CANON.OUTPUT.ARC_SCORES_PARQUET_BASENAME, scores)
    provenance = Provenance.of(stage.run, stage.run.record.model)
    table = tabulate(stage, scores, provenance)
    stage.summary(prompt_reuse={"used": reuse.allowed, "reason": reuse.reason})
    return Evaluation(table, asked.shares, scores, stage.model.context_length, reuse, provenance)


def _scored(stage: StageSession, asked: _Asked, gains: Sequence[float]) -> tuple[pd.DataFrame, Reuse]:
    """Return one row per gain, question and choice, and how prompts were read; an earlier run's where one can stand for it."""
    if (earlier := stage.earlier) is not None:
        stored = earlier.parquet(earlier.result(CANON.OUTPUT.ARC_SCORES_PARQUET_BASENAME))
        used, reason = itemgetter("used", "reason")(earlier.record.metrics["prompt_reuse"])
        return stored, Reuse(used, reason)
    passes = stage.forward_passes(burn_in=0)
    with stage.step("try the cache"):
        (reuse,) = stage.engine.iter_passes(ReuseTried(asked.to_score), [None], passes=passes)
    work = Answered(asked.to_score, stage.params.compute.batch_tokens, reuse.allowed)
    steps = {f"answer_at_gain_{gain:g}": [gain] for gain in gains}
    found: dict[str, Arrays] = mapped(
        stage, "answer", work, steps, passes=passes, each=len(asked.answered), unit="question"
    )
    rows = [_rows(asked, gain, _answers(asked, arrays)) for gain, arrays in zip(gains, found.values(), strict=True)]
    return pd.concat(rows, ignore_index=True), reuse


def _ask(stage: StageSession) -> _Asked:
    questions, context = stage.questions(), stage.model.context_length
    shares = token_shares.of_texts(stage, DatasetRole.ARC_MCQ, prompts(questions))
    encoded = encode(questions, stage.model.tokenizer)
    return _Asked(questions, shares, encoded, [context is None or each.n_tokens <= context for each in encoded])


def _answers(asked: _Asked, arrays: Arrays) -> Answers:
    questions = [asked.questions[place] for place in asked.answered]
    n_bytes = np.full(arrays["text"].shape, np.nan)
    for place, question in enumerate(questions):
        n_bytes[place, : len(question.choices)] = [len(choice.encode()) for choice in question.choices]
    answer = np.array([question.answer for question in questions], dtype=np.int64)
    # scores of choices that are the same tokens say nothing about which one is meant
    by_letter = np.array([each.letters.told_apart for each in asked.to_score], dtype=bool)
    by_text = np.array([each.texts.told_apart for each in asked.to_score], dtype=bool)
    letter, text = (
        np.where(apart[:, None], arrays[name], np.nan) for name, apart in (("letter", by_letter), ("text", by_text))
    )
    return Answers(letter, text, n_bytes, answer)


def _rows(asked: _Asked, gain: float, answers: Answers) -> pd.DataFrame:
    """Return one row a choice: its scores and whether it was chosen; NaN and false for a question that was left out."""
    taken = answers.taken()
    row_of = {place: row for row, place in enumerate(asked.answered)}
    rows = []
    for number, (question, encoded) in enumerate(zip(asked.questions, asked.encoded, strict=True)):
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
                        f"chosen_by_{word}": row is not None and bool(taken[name][row, place])
                        for name, word in _CHOSEN_BY.items()
                    },
                    "skipped": not asked.fits[number],
                    "same_labels": not encoded.letters.told_apart,
                    "same_choices": not encoded.texts.told_apart,
                    "n_tokens": encoded.n_tokens,
                }
            )
    return pd.DataFrame(rows)


def figure(stage: StageSession, found: Evaluation) -> Rendered:
    """Draw and write F07."""
    return save_figure(stage.run, CANON.FIGURE.F07_ARC_MCQ, arc_mcq(found.tabulated.table), found.provenance)
