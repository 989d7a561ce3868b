"""What a check of a release says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What is wrong, a line each that begins with the file's path; and in words what was looked at if nothing is.

    ``aside``: the words are neither good nor bad, but bear on all other checks.
    """

    findings: Sequence[str]
    said: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Check:
    """A check that was made: its name, its result, how long it took."""

    name: str
    result: Result
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.result.findings
