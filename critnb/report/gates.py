"""Gates: a number, what is asked of it, and the verdict, in one record that notebooks show and runs keep."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Verdict(StrEnum):
    PASS = "pass"
    NOT_AVAILABLE = "not available"
    FAIL = "fail"


@dataclass(frozen=True)
class Gate:
    """One gate; ``value`` is None where there is no number, ``reason`` says why a gate did not pass."""

    name: str
    value: float | None
    condition: str
    verdict: Verdict
    reason: str = ""

    @classmethod
    def of(cls, name: str, value: float | None, condition: str, *, passed: bool, reason: str = "") -> Self:
        """Return the gate judged by ``passed``; without a number (None or NaN) it is not available."""
        if value is None or math.isnan(value):
            return cls(name, None, condition, Verdict.NOT_AVAILABLE, reason or "no number")
        return cls(name, value, condition, Verdict.PASS if passed else Verdict.FAIL, reason)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them, for the run's record."""
        return asdict(self)
