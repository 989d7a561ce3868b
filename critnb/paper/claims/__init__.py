"""Claims of the paper, each evaluated from tables as supported, not supported or not available, with the rows that say so.

``gather`` reads what one model role has shown from its runs; ``evaluate`` judges all claims for every role. A verdict is
a stated rule over cells: nothing is fitted or estimated here.
"""

from critnb.paper.claims.evaluate import evaluate, verdict_table
from critnb.paper.claims.evidence import Row, Sourced
from critnb.paper.claims.gather import RoleEvidence, gather
from critnb.paper.claims.verdict import ClaimVerdict, EvaluatedClaim, RoleVerdict

__all__ = [
    "ClaimVerdict",
    "EvaluatedClaim",
    "RoleEvidence",
    "RoleVerdict",
    "Row",
    "Sourced",
    "evaluate",
    "gather",
    "verdict_table",
]
