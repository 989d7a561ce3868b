"""T03 and gates from the stored scores of every choice and nothing else: what anyone can compute again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, DatasetRole, GCondition, Stage
from critnb.criticality.answers import Answers, with_intervals
from critnb.gates import Gate
from critnb.report.assembly import finished
from critnb.report.provenance import Provenance
from critnb.report.schema import T03
from critnb.report.tables import load_table, write_table
from critnb.runs import Run
from critnb.session import StageSession
from critnb.steps import selection

_BASELINE = CANON.CONST.GAIN_BASELINE
ACCURACY = "accuracy"
_MARGIN = "mean_logprob_correct_minus_incorrect"
# the contract's columns; every other statistic is optional and named so
_REQUIRED = {ACCURACY, f"{ACCURACY}_ci_low", f"{ACCURACY}_ci_high", _MARGIN}
Statistics = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True, eq=False)
class Tabulated:
    """The table, each gain's measures with intervals, the accuracy of a blind choice, and how many questions there are."""

    table: pd.DataFrame
    statistics: Mapping[float, Statistics]
    chance: float
    n_questions: int
    n_skipped: int


def tabulate(stage: StageSession, scores: pd.DataFrame, provenance: Provenance) -> Tabulated:
    """Write T03 of the scores, one row a gain, question and choice."""
    gstar = selection.load(stage.upstream(Stage.S02B))
    answers = answers_of(scores)
    statistics = _statistics(stage, answers)
    first = scores[(scores["gain"] == _BASELINE) & (scores["choice"] == 0)]
    n_questions, n_skipped = len(first), int(first["skipped"].sum())
    chance = answers[_BASELINE].chance()
    counts = {"n_questions": n_questions - n_skipped, "opt_n_skipped": n_skipped, "opt_chance": chance}
    table = finished(_rows(stage, gstar, statistics).assign(**counts), T03, provenance)
    write_table(stage.run, CANON.TABLE.T03_ARC, table)
    found = Tabulated(table, statistics, chance, n_questions, n_skipped)
    _summarise(stage, found)
    return found


def _summarise(stage: StageSession, found: Tabulated) -> None:
    stage.summary(
        n_questions=found.n_questions,
        n_skipped=found.n_skipped,
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
    """Return the answers of every gain to the questions that were asked, in their order."""
    width = int(scores["choice"].max()) + 1
    asked = scores[~scores["skipped"]]
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
    """Return the gates of S06ARC: every question fits the context, and the unchanged model knows more than chance."""
    table = load_table(stage.own, CANON.TABLE.T03_ARC)
    row = table[table["g_condition"] == str(GCondition.g1)].iloc[0]
    answered, skipped, chance = int(row["n_questions"]), int(row["opt_n_skipped"]), float(row["opt_chance"])
    value, low, high = (float(row[f"{ACCURACY}{end}"]) for end in ("", "_ci_low", "_ci_high"))
    return [
        Gate.judge(
            "questions within the context",
            passed=not skipped,
            value=f"{answered} of {answered + skipped}",
            condition="every prompt with its longest choice fits the model's context",
            reason=f"{skipped} are left out of every accuracy" if skipped else "",
        ),
        Gate.judge(
            "accuracy by letter at g1 above chance",
            passed=None if np.isnan(low) else low > chance,
            value=value,
            condition=f"the interval's lower end is above chance, {chance:.3f}",
            reason=f"95 % interval {low:.3f} to {high:.3f}; where it is not, the answers say little about any gain",
        ),
    ]
