"""All claims, over all model roles that have run."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from critnb.paper.claims import c1_rates, c2_branching, c3_carried, c4_spikedef, c5_propagation
from critnb.paper.claims.gather import RoleEvidence
from critnb.paper.claims.verdict import EvaluatedClaim

CLAIMS = (c1_rates.CLAIM, c2_branching.CLAIM, c3_carried.CLAIM, c4_spikedef.CLAIM, c5_propagation.CLAIM)


def evaluate(roles: Sequence[RoleEvidence]) -> tuple[EvaluatedClaim, ...]:
    """Return every claim, judged in each role."""
    return tuple(claim.evaluate(roles) for claim in CLAIMS)


def verdict_table(claims: Sequence[EvaluatedClaim]) -> pd.DataFrame:
    """Return one row per claim and role: verdict and reason, with the verdict over all roles."""
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
