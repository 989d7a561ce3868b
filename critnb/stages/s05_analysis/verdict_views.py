"""What S05's notebook shows of its verdicts: signatures, falsifiers and descriptions apart, and how many came out how."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from critnb.canon import Criterion, CriterionKind
from critnb.criticality.synthetic import described
from critnb.gates import Verdict
from critnb.report.words import counted, p_words, spike_words, with_interval

# in the order in which they are shown: what speaks for spreading, what against, and what only describes
KINDS = {
    CriterionKind.SIGNATURE: "Signature of spreading, by intervention",
    CriterionKind.FALSIFIER: "Falsifiers",
    CriterionKind.DESCRIPTION: "Descriptions of the raster",
}
_RATES = {"false alarms": "opt_false_alarm", "detected": "opt_detection"}
_ASKED = "What each criterion asks, and how often it passes on the controls that are worst for it"


def verdict_matrices(judged: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a table per kind of criteria: a row per criterion, a column per spike definition and rate, each cell a verdict."""
    heads = condition_heads(judged)
    matrix = judged.assign(head=_heads(judged)).pivot(index="criterion_id", columns="head", values="verdict")
    return {
        f"{words}: verdicts at g*": matrix.reindex(index=of_kind, columns=heads)
        .rename_axis(columns=None)
        .reset_index()
        .rename(columns={"criterion_id": "criterion"})
        for kind, words in KINDS.items()
        if (of_kind := [name for name in _ids(kind) if name in matrix.index])
    }


def condition_heads(judged: pd.DataFrame) -> list[str]:
    """Return the names of the columns of ``verdict_matrices`` that hold verdicts."""
    return list(dict.fromkeys(_heads(judged)))


def _heads(judged: pd.DataFrame) -> list[str]:
    return [f"{words}, {rate:g}" for words, rate in zip(spike_words(judged), judged["target_rate"], strict=True)]


def _ids(kind: CriterionKind) -> list[str]:
    return [str(each) for each in Criterion if each.kind is kind]


def judgement_tables(judged: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what each criterion asks, and a table per condition and kind of criteria, by its caption: verdict, number, its
    null's, p, what decided.

    What is asked and the rates on controls are the same in every condition, so they stand in the first table alone.
    """
    rows = _judgements(judged)
    in_order = rows.sort_values(
        "criterion", key=lambda names: names.map(list(map(str, Criterion)).index), kind="stable"
    )
    of_all = ["criterion", "asked", *_RATES]
    tables = {_ASKED: _without_empty(in_order[of_all].drop_duplicates(ignore_index=True))}
    for caption, of_condition in in_order.drop(columns=of_all[1:]).groupby("caption", sort=True):
        for kind, words in KINDS.items():
            chosen = of_condition[of_condition["criterion"].isin(_ids(kind))]
            if len(chosen):
                tables[f"{words}. {caption}"] = _without_empty(chosen.drop(columns="caption"))
    return tables


def _judgements(judged: pd.DataFrame) -> pd.DataFrame:
    null = judged.rename(columns={"opt_null_ci_low": "null_ci_low", "opt_null_ci_high": "null_ci_high"})
    value = judged.rename(columns={"ci_low": "value_ci_low", "ci_high": "value_ci_high"})
    columns: dict[str, Any] = {
        "caption": [
            f"{words} events, target rate {rate:g}, g* = {g:g}".capitalize()
            for words, rate, g in zip(spike_words(judged), judged["target_rate"], judged["g"], strict=True)
        ],
        "verdict": judged["verdict"],
        "criterion": judged["criterion_id"],
        "value": with_interval(value, "value", "value"),
        "null": with_interval(null, "null_value", "null"),
        "p": judged["opt_p"].map(p_words),
        "p, Holm": judged["opt_p_holm"].map(p_words),
        **{name: [*map(_rate, judged[column], judged[f"{column}_on"])] for name, column in _RATES.items()},
        "asked": judged["statistic"] + ": " + judged["gate"],
        "what decided": judged["reason"],
    }
    return pd.DataFrame(columns)


def _rate(rate: float, control: str) -> str:
    """Return a rate on the worst control with that control's name; a dash where there is none."""
    if math.isnan(rate):
        return "–"
    return f"{rate:.0%}" + (f" ({described(control).name})" if control else "")


def _without_empty(shown: pd.DataFrame) -> pd.DataFrame:
    """Leave out columns of p-values and rates that no row has."""
    optional = shown.columns.intersection(["p", "p, Holm", *_RATES])
    return shown.drop(columns=[name for name in optional if shown[name].isin(["–"]).all()]).fillna("–")


def verdicts_in_words(judged: pd.DataFrame) -> list[str]:
    """Return a sentence per kind of criteria: how many verdicts came out how."""
    kinds = pd.Series([Criterion(name).kind for name in judged["criterion_id"]], index=judged.index)
    signatures, falsifiers, descriptions = (judged[kinds == kind] for kind in KINDS)
    failed = sorted(set(falsifiers.loc[falsifiers["verdict"] == str(Verdict.FAIL), "criterion_id"]))
    n_failed = int((falsifiers["verdict"] == str(Verdict.FAIL)).sum())
    return [
        f"The signature, what putting events out does to the layers above (S6), at g* of each spike definition and rate: "
        f"{_outcomes(signatures)}. No raster alone can show that activity spreads.",
        f"{n_failed} of {counted(len(falsifiers), 'verdict')} of the falsifiers {'speaks' if n_failed == 1 else 'speak'} "
        "against a critical reading" + (f": {', '.join(failed)}." if failed else "."),
        f"Descriptions of the raster (S1 to S5): of {counted(len(descriptions), 'verdict')} {_outcomes(descriptions)}, for the "
        "reasons in the table. Lattices in which nothing spreads pass some of them too.",
    ]


def _outcomes(judged: pd.DataFrame) -> str:
    passed, failed, missing = (
        int((judged["verdict"] == str(verdict)).sum())
        for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE)
    )
    return (
        f"{passed} {'passes' if passed == 1 else 'pass'}, {failed} {'fails' if failed == 1 else 'fail'} and {missing} "
        f"{'is' if missing == 1 else 'are'} not available"
    )
