"""C4: g* and the nulls' verdict do not depend on what counts as an event."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, Criterion
from critnb.gates import Verdict
from critnb.report.claims.gather import RoleEvidence
from critnb.report.claims.verdict import Judged

_X1, _X5 = Criterion.X1_NULL_EXPLAINS_BRANCHING, Criterion.X5_DEPENDS_ON_SPIKE_DEF

STATEMENT = "g* and the nulls' verdict agree between the two definitions of an event."
RULE = (
    "At every target rate falsifier X5 (g* of the two definitions further apart than allowed) has not falsified, and falsifier "
    "X1 (the nulls explain branching) has one and the same verdict under both definitions; all verdicts are those of T08. Where "
    "g* is not identified under both definitions, its distance says nothing and X5 counts as not available. All rates must hold "
    "(an intersection-union rule): one that fails decides, else one that is not available. Nothing else is compared between "
    "the definitions."
)


def judge(evidence: RoleEvidence) -> Judged:
    """Return the verdict on C4 in one role."""
    t08, choices = evidence.tables[CANON.TABLE.T08_SIGNATURES], evidence.choices
    asked = t08.frame[t08.frame["criterion_id"].isin([_X1, _X5])]
    rows = (
        *t08.rows(asked, "g", "value", "verdict", "reason"),
        *choices.rows(choices.frame, "gstar", "identified", "at_grid_edge"),
    )
    identified = choices.frame.groupby("target_rate")["identified"].all()
    rates = [_at_rate(group, known=bool(identified.get(rate, False))) for rate, group in asked.groupby("target_rate")]
    numbers = {
        "rates": len(rates),
        "agree": rates.count(Verdict.PASS),
        "disagree": rates.count(Verdict.FAIL),
        "unknown": rates.count(Verdict.NOT_AVAILABLE),
    }
    reason = (
        f"g* and the nulls' verdict agree at {numbers['agree']} of {len(rates)} rates and disagree at {numbers['disagree']}; at "
        f"{numbers['unknown']} g* is not identified under both definitions, or a verdict is not available"
    )
    missing = numbers["unknown"] or not rates
    return Judged.of(reason, rows, numbers, failing=numbers["disagree"], missing=missing)


def _at_rate(rows: pd.DataFrame, *, known: bool) -> Verdict:
    """Return whether both definitions agree at a rate; ``known`` is whether g* is identified under both."""
    x1 = set(rows.loc[rows["criterion_id"] == _X1, "verdict"])
    x5 = set(rows.loc[rows["criterion_id"] == _X5, "verdict"]) if known else {Verdict.NOT_AVAILABLE}
    if Verdict.FAIL in x5 or {Verdict.PASS, Verdict.FAIL} <= x1:
        return Verdict.FAIL
    both = rows["spike_def_id"].nunique() > 1
    return Verdict.PASS if both and x5 == {Verdict.PASS} and Verdict.NOT_AVAILABLE not in x1 else Verdict.NOT_AVAILABLE
