"""What a criterion is judged on, how its outcome is recorded, and the few tests that criteria share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from critnb.canon import CANON, Criterion
from critnb.criticality.chi_peak import ChiPeak
from critnb.gates import Verdict

_CONST = CANON.CONST
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """Everything that is judged for one spike definition and rate.

    row: the statistics of table T01 at g*; crackling_passed as in T05; reasons: by the name of a statistic, why it is not
    available or does not pass; other_gstar: g* of the other spike definition at the same rate, NaN where there is none.
    """

    row: Mapping[str, float]
    gstar: float
    peak: ChiPeak
    crackling_passed: bool
    reasons: Mapping[str, str]
    other_gstar: float

    def __getitem__(self, name: str) -> float:
        return float(self.row.get(name, NAN))

    def interval(self, stem: str) -> tuple[float, float]:
        """Return the ends of a statistic's interval."""
        return self[f"{stem}_ci_low"], self[f"{stem}_ci_high"]


@dataclass(frozen=True)
class Judged:
    """One row of T08 without its key and provenance."""

    criterion_id: Criterion
    statistic: str
    value: float
    ci: tuple[float, float]
    gate: str
    verdict: Verdict
    reason: str
    null_value: float = NAN
    null_ci: tuple[float, float] = (NAN, NAN)

    def as_row(self) -> dict[str, object]:
        """Return the fields by their T08 names."""
        return {
            "criterion_id": str(self.criterion_id),
            "statistic": self.statistic,
            "value": self.value,
            "ci_low": self.ci[0],
            "ci_high": self.ci[1],
            "gate": self.gate,
            "null_value": self.null_value,
            "opt_null_ci_low": self.null_ci[0],
            "opt_null_ci_high": self.null_ci[1],
            "verdict": str(self.verdict),
            "reason": self.reason,
        }


def verdict(passed: bool, *needed: float) -> Verdict:
    """Return the outcome; not available where a number that it needs is NaN."""
    if any(np.isnan(number) for number in needed):
        return Verdict.NOT_AVAILABLE
    return Verdict.PASS if passed else Verdict.FAIL


def overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """Whether two intervals share a point; one that is not available shares none."""
    return first[0] <= second[1] and second[0] <= first[1]


def beside_null(null_value: float, apart: bool) -> str:
    """Say in words how a statistic lies beside the same of its permutation null."""
    if np.isnan(null_value):
        return "the permutation null has no such number"
    return f"its interval and that of the permutation null ({null_value:.3f}) " + (
        "do not meet" if apart else "overlap"
    )


def significant(case: Case) -> bool:
    """Tell whether b_tot exceeds both raster nulls at SIGNIFICANCE_LEVEL."""
    return all(case[name] < _CONST.SIGNIFICANCE_LEVEL for name in ("opt_delta_b_tot_p", "opt_delta_b_tot_shift_p"))


def both_nulls(case: Case) -> str:
    """Say by how much b_tot exceeds both raster nulls."""
    return (
        f"excess over the permutation null {case['delta_b_tot']:.3f} (p {case['opt_delta_b_tot_p']:.3f}), "
        f"over the circular shift {case['opt_delta_b_tot_shift']:.3f} (p {case['opt_delta_b_tot_shift_p']:.3f})"
    )
