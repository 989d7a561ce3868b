"""The criteria that a condition is judged by: one registered entry each, and the rows of T08 that they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

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


_ENTRIES: dict[Criterion, CriterionEntry] = {}


def criterion(id_: Criterion, *, statistic: str, gate: str) -> Callable[[Assess], Assess]:
    """Register the decorated function as the one that judges a criterion."""

    def register(assess: Assess) -> Assess:
        _ENTRIES[id_] = CriterionEntry(id_, statistic, gate, assess)
        return assess

    return register


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
