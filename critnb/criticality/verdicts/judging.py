"""A case judged by every criterion of ``signatures`` and ``falsifiers``, and the rows of T08."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from critnb.canon import Criterion
from critnb.criticality.verdicts import falsifiers, signatures
from critnb.criticality.verdicts.criteria import CriterionEntry, Judged
from critnb.criticality.verdicts.judgement import Case

_ENTRIES = {
    entry.id: entry
    for module in (signatures, falsifiers)
    for entry in vars(module).values()
    if isinstance(entry, CriterionEntry)
}


def judge_all(case: Case) -> list[Judged]:
    """Return the verdict on a case by every criterion, in the registry's order; KeyError where one has no function."""
    return [_ENTRIES[id_].judge(case) for id_ in Criterion]


def judged_frame(cases: Mapping[tuple[str, float], Case]) -> pd.DataFrame:
    """Return all rows of T08, keyed by (spike_def_id, target_rate) and the criterion, with the gain g*."""
    return pd.DataFrame(
        {"spike_def_id": spike_def, "target_rate": rate, "g": case.gstar, **judged.as_row()}
        for (spike_def, rate), case in cases.items()
        for judged in judge_all(case)
    )
