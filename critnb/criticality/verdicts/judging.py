"""Cases judged by every criterion of ``signatures``, ``intervention`` and ``falsifiers``, and the rows of T08."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import pandas as pd

from critnb.canon import Criterion
from critnb.criticality.verdicts import falsifiers, intervention, signatures
from critnb.criticality.verdicts.criteria import NAN, Assessment, CriterionEntry, Judged
from critnb.criticality.verdicts.family import adjust
from critnb.criticality.verdicts.judgement import Case

_Key = TypeVar("_Key", bound=Hashable)
_ENTRIES = {
    entry.id: entry
    for module in (signatures, intervention, falsifiers)
    for entry in vars(module).values()
    if isinstance(entry, CriterionEntry)
}


def judge_all(case: Case) -> list[Judged]:
    """Return the verdict on one case by every criterion, in the registry's order, its own tests being the whole family."""
    return judge_family({None: case})[None]


def judge_family(cases: Mapping[_Key, Case]) -> dict[_Key, list[Judged]]:
    """Return the verdicts on every case, in the registry's order, with p-values adjusted over all cases and criteria.

    Criteria of one case that rest on one test, by its name, count once in the family. KeyError where a criterion has no function.
    """
    assessed = {key: {id_: _ENTRIES[id_].assess(case) for id_ in Criterion} for key, case in cases.items()}
    tests = {
        (key, one.test.name): one.test.p for key, of_case in assessed.items() for one in of_case.values() if one.test
    }
    adjusted = adjust(tests)
    return {
        key: [_ENTRIES[id_].judge(one, _adjusted(one, key, adjusted)) for id_, one in of_case.items()]
        for key, of_case in assessed.items()
    }


def _adjusted(one: Assessment, key: _Key, adjusted: Mapping[tuple[_Key, str], float]) -> float:
    return NAN if one.test is None else adjusted[key, one.test.name]


def judged_frame(cases: Mapping[tuple[str, float], Case]) -> pd.DataFrame:
    """Return all rows of T08, keyed by (spike_def_id, target_rate) and the criterion, with the gain g*.

    The cases are one family: those of one model role, as one run of S05 has them.
    """
    return pd.DataFrame(
        {"spike_def_id": spike_def, "target_rate": rate, "g": cases[spike_def, rate].gstar, **judged.as_row()}
        for (spike_def, rate), all_judged in judge_family(cases).items()
        for judged in all_judged
    )
