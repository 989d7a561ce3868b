"""What a criterion is: identifier, words and the function that assesses a case; and the row of T08 that it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from critnb.canon import Criterion
from critnb.criticality.verdicts.judgement import NO_INTERVAL, Case, Clause, Ends, decide
from critnb.gates import Verdict

NAN = float("nan")


@dataclass(frozen=True)
class Assessment:
    """What a criterion looks at in a case: a number, its interval, its null's, and clauses that must all be met."""

    value: float
    ci: Ends
    clauses: Sequence[Clause]
    null_value: float = NAN
    null_ci: Ends = NO_INTERVAL


Assess = Callable[[Case], Assessment]


@dataclass(frozen=True)
class Judged:
    """One row of T08 without its key and provenance."""

    criterion: CriterionEntry
    assessment: Assessment
    verdict: Verdict
    reason: str

    def as_row(self) -> dict[str, object]:
        """Return the fields by their T08 names."""
        assessed = self.assessment
        return {
            "criterion_id": str(self.criterion.id),
            "statistic": self.criterion.statistic,
            "value": assessed.value,
            "ci_low": assessed.ci[0],
            "ci_high": assessed.ci[1],
            "gate": self.criterion.gate,
            "null_value": assessed.null_value,
            "opt_null_ci_low": assessed.null_ci[0],
            "opt_null_ci_high": assessed.null_ci[1],
            "verdict": str(self.verdict),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class CriterionEntry:
    """One criterion: its identifier, its statistic and its gate in words, and the function that assesses a case."""

    id: Criterion
    statistic: str
    gate: str
    assess: Assess

    def judge(self, case: Case) -> Judged:
        """Return the verdict on a case, with the words of what decided it."""
        assessment = self.assess(case)
        return Judged(self, assessment, *decide(assessment.clauses))


def criterion(id_: Criterion, *, statistic: str, gate: str) -> Callable[[Assess], CriterionEntry]:
    """Make a criterion of the decorated function, which assesses a case."""
    return lambda assess: CriterionEntry(id_, statistic, gate, assess)
