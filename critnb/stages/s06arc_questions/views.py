"""What S06ARC's notebook shows: accuracies a gain with their intervals, their differences, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from critnb.canon import CANON, GCondition
from critnb.stages.s06arc_questions.work import Evaluation

_BASELINE = CANON.CONST.GAIN_BASELINE
_WORDS = {
    "accuracy": "by letter",
    "acc_text": "by text",
    "acc_norm": "by text, per byte",
    "mean_logprob_correct_minus_incorrect": "margin of the right letter (nats)",
}


def gain_table(found: Evaluation) -> pd.DataFrame:
    """Return one row per gain: what was answered right by letter and by text, and the letters' margin."""
    return _shown(found, _WORDS)


def difference_table(found: Evaluation) -> pd.DataFrame:
    """Return one row per gain other than the baseline: the same, minus that at the baseline."""
    table = _shown(found, {f"{name}_vs_g1": word for name, word in _WORDS.items()})
    return table[table["gain"] != _BASELINE].reset_index(drop=True)


def _shown(found: Evaluation, words: Mapping[str, str]) -> pd.DataFrame:
    rows = []
    for gain, each in found.tabulated.statistics.items():
        shown = {word: _with_interval(*each[name]) for name, word in words.items()}
        rows.append({"gain": gain, "": _role_of(gain, found.tabulated.table), **shown})
    return pd.DataFrame(rows)


def _role_of(gain: float, table: pd.DataFrame) -> str:
    """Say which conditions a gain stands for: g1, or g* of so many of the table's pairs of definition and rate."""
    chosen = table.loc[table["g_condition"] == GCondition.gstar, "g"]
    times = int((chosen == gain).sum())
    roles = [str(GCondition.g1)] if gain == _BASELINE else []
    return ", ".join([*roles, f"g* of {times} of {len(chosen)}"] if times else roles)


def _with_interval(value: float, low: float, high: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def left_out_table(found: Evaluation) -> pd.DataFrame:
    """Return the questions that were left out somewhere, why, and the tokens of their prompt and longest choice."""
    why = [
        ("skipped", "exceeds the context"),
        ("same_labels", "by letter: its labels are the same tokens, or none"),
        ("same_choices", "by text: its choices are the same tokens, or none"),
    ]
    once = found.scores.drop_duplicates("question_id")
    rows = [
        {"question": row["question_id"], "tokens": row["n_tokens"], "left out": "; ".join(given)}
        for _, row in once.iterrows()
        if (given := [words for column, words in why if row[column]])
    ]
    return pd.DataFrame(rows or {"question": ["none"]})


def facts(found: Evaluation) -> str:
    """Return in words how many questions were answered, what chance is, and how prompts were read."""
    limit = "no limit" if found.context_length is None else f"{found.context_length} tokens"
    how = "read once a question, its choices from the cache" if found.reuse.allowed else "read anew for every choice"
    table = found.tabulated.table.iloc[0]
    left_out = found.tabulated.left_out
    ties = {gain: each for gain, each in found.tabulated.table.groupby("g")["opt_n_ties"].first().items() if each}
    return (
        f"{table['n_questions']} of {left_out.asked} questions were answered by letter and "
        f"{table['opt_n_questions_text']} by text; {left_out.skipped} exceed the context ({limit}). "
        f"{left_out.same_labels} have labels and {left_out.same_choices} have choices that tokens do not tell apart, and "
        "are left out where these are compared. A blind choice by letter is right with probability "
        f"{found.tabulated.chance:.3f}. Labels tie for the largest score in {sum(ties.values())} answers. "
        f"Prompts were {how} ({found.reuse.reason})."
    )
