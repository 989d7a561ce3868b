"""All claims, over all model roles that have run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from critnb.canon import Claim
from critnb.paper.claims import c1_rates, c2_branching, c3_carried, c4_spikedef
from critnb.paper.claims.gather import RoleEvidence
from critnb.paper.claims.verdict import Claimed, Judged

_CLAIMS: dict[Claim, tuple[str, str, Callable[[RoleEvidence], Judged]]] = {
    Claim.C1_RATES_MATCH: (c1_rates.STATEMENT, c1_rates.RULE, c1_rates.judge),
    Claim.C2_BRANCHING_VARIES: (c2_branching.STATEMENT, c2_branching.RULE, c2_branching.judge),
    Claim.C3_GSTAR_CARRIED_OVER: (c3_carried.STATEMENT, c3_carried.RULE, c3_carried.judge),
    Claim.C4_ROBUST_TO_SPIKE_DEF: (c4_spikedef.STATEMENT, c4_spikedef.RULE, c4_spikedef.judge),
}


def evaluate(roles: Sequence[RoleEvidence]) -> tuple[Claimed, ...]:
    """Return every claim, judged in each role."""
    return tuple(
        Claimed(claim, statement, rule, {each.role: judge(each) for each in roles})
        for claim, (statement, rule, judge) in _CLAIMS.items()
    )


def verdict_table(claims: Sequence[Claimed]) -> pd.DataFrame:
    """Return one row a claim and role: verdict and reason, with the verdict over all roles."""
    return pd.DataFrame(
        [
            {
                "claim": str(claimed.id),
                "over all roles": str(claimed.verdict),
                "role": str(role),
                "verdict": str(judged.verdict),
                "reason": judged.reason,
            }
            for claimed in claims
            for role, judged in claimed.by_role.items()
        ]
    )
