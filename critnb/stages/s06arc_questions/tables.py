"""T03 and gates from the stored scores of every choice and nothing else: what anyone can compute again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, DatasetRole, GCondition, Stage
from critnb.criticality.mcq import Answers, with_intervals
from critnb.gates import Gate
from critnb.pipeline.session import StageSession
from critnb.report.assembly import finished
from critnb.report.provenance import Provenance
from critnb.report.schema import T03
from critnb.report.tables import load_table, write_table
from critnb.runs import Run
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.shared import token_shares

_BASELINE = CANON.CONST.GAIN_BASELINE
ACCURACY = "accuracy"
_TEXT = "acc_text"
_TIES = {ACCURACY: "opt_n_ties", _TEXT: "opt_n_ties_text", "acc_norm": "opt_n_ties_norm"}
_MARGIN = "mean_logprob_correct_minus_incorrect"
# the contract's columns; every other statistic is optional and named so
_REQUIRED = {ACCURACY, f"{ACCURACY}_ci_low", f"{ACCURACY}_ci_high", _MARGIN}
Statistics = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class LeftOut:
    """How many questions were asked, how many of them exceed the context, and of those within it how many have labels
    (choices) of which two are the same tokens or one is none."""

    asked: int
    skipped: int
    same_labels: int
    same_choices: int

    @classmethod
    def of(cls, scores: pd.DataFrame) -> LeftOut:
        """Count in the rows of every choice."""
        first = scores[(scores["gain"] == _BASELINE) & (scores["choice"] == 0)]
        within = first[~first["skipped"]]
        return cls(
            len(first), len(first) - len(within), int(within["same_labels"].sum()), int(within["same_choices"].sum())
        )

    @property
    def reason(self) -> str:
        """Say in words what was left out and why; empty where nothing was."""
        counted = {
            "exceed the model's context": self.skipped,
            "are left out by letter, as tokens do not tell their labels apart": self.same_labels,
            "are left out by text, as tokens do not tell their choices apart": self.same_choices,
        }
        return "; ".join(f"{n} of {self.asked} {why}" for why, n in counted.items() if n)

    def facts(self) -> dict[str, int]:
        """Return the counts as the record names them."""
        return {
            "n_questions": self.asked,
            "n_skipped": self.skipped,
            "n_same_labels": self.same_labels,
            "n_same_choices": self.same_choices,
        }


@dataclass(frozen=True, eq=False)
class Tabulated:
    """The table, each gain's measures with intervals, the accuracy of a blind choice by letter, and what was left out."""

    table: pd.DataFrame
    statistics: Mapping[float, Statistics]
    chance: float
    left_out: LeftOut


def tabulate(stage: StageSession, scores: pd.DataFrame, provenance: Provenance) -> Tabulated:
    """Write T03 of the scores, one row per gain, question and choice."""
    gstar = load_gstar(stage.upstream(Stage.S02B))
    answers = answers_of(scores)
    statistics = _statistics(stage, answers)
    baseline, left_out = answers[_BASELINE], LeftOut.of(scores)
    n_answered = baseline.n_answered()
    chance = baseline.chance()
    counts: dict[str, Any] = {
        "n_questions": n_answered[ACCURACY],
        "opt_n_questions_text": n_answered[_TEXT],
        "opt_n_skipped": left_out.skipped,
        "opt_n_same_labels": left_out.same_labels,
        "opt_n_same_choices": left_out.same_choices,
        "opt_chance": chance,
        "opt_chance_text": baseline.chance(_TEXT),
        "opt_reason": left_out.reason,
    }
    rows = _rows(stage, gstar, statistics)
    ties = {gain: each.n_ties() for gain, each in answers.items()}
    for name, column in _TIES.items():
        rows[column] = [ties[gain][name] for gain in rows["g"]]
    table = finished(rows.assign(**counts), T03, provenance)
    write_table(stage.run, CANON.TABLE.T03_ARC, table)
    found = Tabulated(table, statistics, chance, left_out)
    _summarise(stage, found)
    return found


def _summarise(stage: StageSession, found: Tabulated) -> None:
    stage.summary(
        **found.left_out.facts(),
        chance=_jsonable(found.chance),
        by_gain={
            f"{gain:g}": {name: _jsonable(value) for name, (value, _, _) in each.items()}
            for gain, each in found.statistics.items()
        },
    )


def _jsonable(value: float) -> float | None:
    return None if np.isnan(value) else value


def retabulate(stage: StageSession, run: Run) -> None:
    """Write T03 again from what a finished run of S06ARC holds."""
    scores = run.parquet(run.result(CANON.OUTPUT.ARC_SCORES_PARQUET_BASENAME))
    tabulate(stage, scores, Provenance.of(stage.run, run.record.model))


def answers_of(scores: pd.DataFrame) -> dict[float, Answers]:
    """Return the answers of every gain to the questions that were scored in some way, in their order."""
    width = int(scores["choice"].max()) + 1
    asked = scores[~scores["skipped"] & ~(scores["same_labels"] & scores["same_choices"])]
    return {float(gain): _answers(asked[asked["gain"] == gain], width) for gain in scores["gain"].unique()}


def _answers(rows: pd.DataFrame, width: int) -> Answers:
    question = (rows["choice"] == 0).cumsum().to_numpy() - 1
    choice, n_questions = rows["choice"].to_numpy(), int((rows["choice"] == 0).sum())

    def padded(column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        values = np.full((n_questions, width), np.nan)
        values[question, choice] = rows[column]
        return values

    right = rows["is_answer"].to_numpy()
    answer = np.zeros(n_questions, dtype=np.int64)
    answer[question[right]] = choice[right]
    return Answers(padded("logprob_letter"), padded("logprob_text"), padded("n_bytes"), answer)


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


def _rows(
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


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S06ARC: every question can be asked, and the unchanged model knows more than chance."""
    own = stage.own
    table = load_table(own, CANON.TABLE.T03_ARC)
    left_out = LeftOut.of(own.parquet(own.result(CANON.OUTPUT.ARC_SCORES_PARQUET_BASENAME)))
    at_g1 = table[table["g_condition"] == str(GCondition.g1)].iloc[0]
    return [*question_gates(left_out, at_g1), *token_shares.gates(token_shares.load(own))]


def question_gates(left_out: LeftOut, at_g1: pd.Series[Any]) -> list[Gate]:
    """Return the gates on what was left out, and on a row of T03 at g1."""
    return [
        Gate.judge(
            "questions within the context",
            passed=not left_out.skipped,
            value=f"{left_out.asked - left_out.skipped} of {left_out.asked}",
            condition="every prompt with its longest choice fits the model's context",
            reason=f"{left_out.skipped} are left out of every accuracy" if left_out.skipped else "",
        ),
        _told_apart_gate("labels", left_out, left_out.same_labels, "accuracy by letter"),
        _told_apart_gate("choices", left_out, left_out.same_choices, "accuracies by text"),
        _chance_gate(at_g1, left_out),
    ]


def _told_apart_gate(what: str, left_out: LeftOut, same: int, accuracy: str) -> Gate:
    within = left_out.asked - left_out.skipped
    reason = f"{same} are left out of the {accuracy}" if same else ""
    return Gate.judge(
        f"{what} that tokens tell apart",
        passed=not same,
        value=f"{within - same} of {within}" if within else None,
        condition=f"the {what} of a question are different tokens, and none is no token at all",
        reason=reason if within else f"no question is answered: {left_out.reason}",
    )


def _chance_gate(row: pd.Series[Any], left_out: LeftOut) -> Gate:
    value, low, high = (float(row[f"{ACCURACY}{end}"]) for end in ("", "_ci_low", "_ci_high"))
    chance = float(row["opt_chance"])
    interval = f"95 % interval {low:.3f} to {high:.3f}; where it is not, the answers say little about any gain"
    return Gate.judge(
        "accuracy by letter at g1 above chance",
        passed=None if np.isnan(low) else low > chance,
        value=value,
        condition=f"the interval's lower end is above chance{'' if np.isnan(chance) else f', {chance:.3f}'}",
        reason=f"no question is answered by letter: {left_out.reason}" if np.isnan(value) else interval,
    )
