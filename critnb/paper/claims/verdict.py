"""A claim with its rule, and what comes of it: a verdict in each model role and over all, with the rows that say so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from critnb.canon import Claim, ModelRole
from critnb.paper.claims.evidence import Row
from critnb.paper.claims.gather import RoleEvidence

Number = int | float


class ClaimVerdict(StrEnum):
    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    NOT_AVAILABLE = "not available"


@dataclass(frozen=True)
class RoleVerdict:
    """A claim in one model role.

    ``reason`` says in words which rows decided; ``numbers`` are the counts and ends of ranges that the rule went by, by name,
    the same names whatever the verdict: None where there is none.
    """

    verdict: ClaimVerdict
    reason: str
    rows: tuple[Row, ...] = ()
    numbers: Mapping[str, Number | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        reason: str,
        rows: Iterable[Row],
        numbers: Mapping[str, Number | None],
        *,
        failing: int | bool,
        missing: int | bool = 0,
    ) -> RoleVerdict:
        """Return not supported where any part fails; else not available where any is missing; else supported."""
        unmet = ClaimVerdict.NOT_AVAILABLE if missing else ClaimVerdict.SUPPORTED
        return cls(ClaimVerdict.NOT_SUPPORTED if failing else unmet, reason, tuple(rows), numbers)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {
            "verdict": str(self.verdict),
            "reason": self.reason,
            "numbers": dict(self.numbers),
            "rows": [row.as_dict() for row in self.rows],
        }


@dataclass(frozen=True)
class ClaimRule:
    """A claim as its module registers it: what it says, the rule that decides in words, and the rule itself."""

    id: Claim
    statement: str
    rule: str
    judge: Callable[[RoleEvidence], RoleVerdict]

    def evaluate(self, roles: Iterable[RoleEvidence]) -> EvaluatedClaim:
        """Return the claim, judged in each role."""
        return EvaluatedClaim(self.id, self.statement, self.rule, {each.role: self.judge(each) for each in roles})


@dataclass(frozen=True)
class EvaluatedClaim:
    """One claim: what it says, the rule that decides, and what each role's tables say of it."""

    id: Claim
    statement: str
    rule: str
    by_role: Mapping[ModelRole, RoleVerdict]

    @property
    def verdict(self) -> ClaimVerdict:
        """Over all roles: supported where it is in each; not supported where it is not in at least one; else not available."""
        verdicts = {judged.verdict for judged in self.by_role.values()}
        if ClaimVerdict.NOT_SUPPORTED in verdicts:
            return ClaimVerdict.NOT_SUPPORTED
        return ClaimVerdict.SUPPORTED if verdicts == {ClaimVerdict.SUPPORTED} else ClaimVerdict.NOT_AVAILABLE

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {
            "claim": str(self.id),
            "statement": self.statement,
            "verdict": str(self.verdict),
            "rule": self.rule,
            "roles": {str(role): judged.as_dict() for role, judged in self.by_role.items()},
        }
