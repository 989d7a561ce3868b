"""C4: what is found does not depend on what counts as an event."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, Criterion
from critnb.gates import Verdict
from critnb.report.claims.gather import RoleEvidence
from critnb.report.claims.verdict import Judged

_X1, _X5 = Criterion.X1_NULL_EXPLAINS_BRANCHING, Criterion.X5_DEPENDS_ON_SPIKE_DEF

STATEMENT = "The findings are robust to the spike definition."
RULE = (
    "At every target rate falsifier X5 (g* of the two definitions further apart than allowed) has not falsified, and falsifier "
    "X1 (the nulls explain branching) has one and the same verdict under both definitions; all verdicts are those of T08. All "
    "rates must hold (an intersection-union rule). Verdicts that are not available, or a single definition, make the claim not "
    "available, unless a verdict that is there already speaks against it."
)


def judge(evidence: RoleEvidence) -> Judged:
    """Return the verdict on C4 in one role."""
    t08 = evidence.tables[CANON.TABLE.T08_SIGNATURES]
    asked = t08.frame[t08.frame["criterion_id"].isin([_X1, _X5])]
    rows = t08.rows(asked, "g", "value", "verdict", "reason")
    if asked["spike_def_id"].nunique() < 2:
        return Judged.missing("only one spike definition was measured", rows)
    rates = [_at_rate(group) for _, group in asked.groupby("target_rate")]
    apart, unlike, unknown = (sum(flags) for flags in zip(*rates, strict=True))
    reason = f"of {len(rates)} rates, g* is too far apart at {apart} and X1 differs at {unlike}"
    if unknown and not (apart or unlike):
        return Judged.missing(f"{reason}; a verdict is not available at {unknown}", rows)
    return Judged.of(not (apart or unlike), reason, rows)


def _at_rate(rows: pd.DataFrame) -> tuple[bool, bool, bool]:
    """Return whether g* is too far apart, X1 differs between the definitions, and some verdict is not available."""
    x1 = set(rows.loc[rows["criterion_id"] == _X1, "verdict"])
    x5 = set(rows.loc[rows["criterion_id"] == _X5, "verdict"])
    return Verdict.FAIL in x5, {Verdict.PASS, Verdict.FAIL} <= x1, Verdict.NOT_AVAILABLE in x1 | x5
