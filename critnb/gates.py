"""Gates: a number, what is asked of it, and the verdict, in one record that notebooks show and runs keep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Verdict(StrEnum):
    PASS = "pass"
    NOT_AVAILABLE = "not available"
    FAIL = "fail"


@dataclass(frozen=True)
class Gate:
    """One gate; ``value`` is a number, or words around one, or None where there is none; ``reason`` explains the verdict."""

    name: str
    value: float | str | None
    condition: str
    verdict: Verdict
    reason: str = ""

    @classmethod
    def judge(
        cls, name: str, *, passed: bool | None, value: float | str | None, condition: str, reason: str = ""
    ) -> Self:
        """Return the gate with the verdict that ``passed`` gives; None, or a value that is None or NaN: not available."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return cls(name, None, condition, Verdict.NOT_AVAILABLE, reason)
        verdict = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.NOT_AVAILABLE}[passed]
        return cls(name, value, condition, verdict, reason)

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is pass."""
        return self.verdict is Verdict.PASS

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them, for the run's record."""
        return asdict(self)


class JudgedGates:
    """The gates that a stage has judged so far; of two with one name the later counts."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def add(self, judged: Iterable[Gate]) -> None:
        """Take in gates."""
        self._gates.update({gate.name: gate for gate in judged})

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the gates as JSON has them."""
        return [gate.as_dict() for gate in self._gates.values()]

    def not_passed(self) -> list[str]:
        """Return the names of gates that fail or are not available."""
        return [gate.name for gate in self._gates.values() if not gate.passed]

    def verdict(self) -> str:
        """Say how many gates passed."""
        return f"{len(self._gates) - len(self.not_passed())} of {len(self._gates)} gates passed"


_NAMED = 2
_SAID = {
    Verdict.PASS: ("passes", "pass"),
    Verdict.NOT_AVAILABLE: ("not available",) * 2,
    Verdict.FAIL: ("fails", "fail"),
}


def summed_up(recorded: Iterable[Mapping[str, Any]]) -> str:
    """Summarise in one line the gates of a record: how many pass, and which do not."""
    names: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for gate in recorded:
        names[Verdict(gate["verdict"])].append(gate["name"])
    parts = [_part(verdict, found) for verdict, found in names.items() if found]
    return ", ".join(parts) or "no gates"


def _part(verdict: Verdict, names: list[str]) -> str:
    said = f"{len(names)} {'gate' if len(names) == 1 else 'gates'} {_SAID[verdict][len(names) > 1]}"
    if verdict is Verdict.PASS:
        return said
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{said} ({'; '.join(names[:_NAMED])}{more})"
