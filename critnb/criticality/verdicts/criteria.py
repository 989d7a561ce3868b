"""What a criterion is: identifier, words and the function that assesses a case; and the row of T08 that it gives.

A case is judged in two passes, since a p counts only after it was adjusted over the whole family: ``assess`` gives numbers,
clauses and the test, ``judge`` the verdict with the adjusted p.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from critnb.canon import Criterion
from critnb.criticality.verdicts.family import NullTest
from critnb.criticality.verdicts.judgement import NO_INTERVAL, Case, Clause, Ends, decide
from critnb.gates import Verdict

NAN = float("nan")


@dataclass(frozen=True)
class Assessment:
    """What a criterion looks at in a case: a number, its interval, its null's, and clauses that must all be met.

    test: a test that must be met too, at its adjusted p; None where the criterion has none, or it is not available.
    """

    value: float
    ci: Ends
    clauses: Sequence[Clause]
    null_value: float = NAN
    null_ci: Ends = NO_INTERVAL
    test: NullTest | None = None


Assess = Callable[[Case], Assessment]


@dataclass(frozen=True)
class Judged:
    """One row of T08 without its key and provenance; p_holm: of the assessment's test, NaN where it has none."""

    criterion: CriterionEntry
    assessment: Assessment
    p_holm: float
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
            "opt_kind": str(self.criterion.id.kind),
            "opt_p": NAN if assessed.test is None else assessed.test.p,
            "opt_p_holm": self.p_holm,
        }


@dataclass(frozen=True)
class CriterionEntry:
    """One criterion: its identifier, its statistic and its gate in words, and the function that assesses a case."""

    id: Criterion
    statistic: str
    gate: str
    assess: Assess

    def judge(self, assessment: Assessment, p_holm: float) -> Judged:
        """Return the verdict on what ``assess`` gave, with the words of what decided it; p_holm: its test's adjusted p."""
        test = assessment.test
        if test is None:
            return Judged(self, assessment, NAN, *decide(assessment.clauses))
        clause = Clause(test.met(p_holm), test.told(p_holm))
        return Judged(self, assessment, p_holm, *decide([*assessment.clauses, clause]))


def criterion(id_: Criterion, *, statistic: str, gate: str) -> Callable[[Assess], CriterionEntry]:
    """Make a criterion of the decorated function, which assesses a case."""
    return lambda assess: CriterionEntry(id_, statistic, gate, assess)
