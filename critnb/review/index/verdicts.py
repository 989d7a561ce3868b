"""What a reader wants to know first: how the claims of the newest paper came out, and which gates failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critnb.canon import CANON, Stage
from critnb.gates import Gate, Verdict
from critnb.runs import Artifact
from critnb.runs.files import read_regular, sha256_hex

CLAIMS = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.CLAIMS_JSON_BASENAME}"


@dataclass(frozen=True)
class ClaimFacts:
    """A claim as its run tells it: its number, what it says, its verdict over all roles, and why, by role."""

    number: str
    statement: str
    verdict: str
    reasons: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class FailedGate:
    """A gate that failed, and the run that it is of."""

    run_id: str
    stage: Stage
    role: str
    gate: Gate


def claims_of(folder: Path, artifacts: Sequence[Artifact], metrics: Mapping[str, Any]) -> tuple[ClaimFacts, ...]:
    """Return the claims of a run of S07: verdicts from its record, words from the file that the record names, if it is that one."""
    told = metrics.get("claims") or {}
    try:
        words = {each["claim"]: each for each in _file(folder, artifacts)} if told else {}
        return tuple(_claim(str(name), str(verdict), words.get(name) or {}) for name, verdict in told.items())
    except (AttributeError, KeyError, TypeError, ValueError):
        # a file of another version: the verdicts are known all the same
        return tuple(_claim(str(name), str(verdict), {}) for name, verdict in told.items())


def _claim(name: str, verdict: str, words: Mapping[str, Any]) -> ClaimFacts:
    number, _, spoken = name.partition("_")
    roles = (words.get("roles") or {}).items()
    reasons = tuple((str(role), str(judged["verdict"]), str(judged["reason"])) for role, judged in roles)
    return ClaimFacts(number, str(words.get("statement") or spoken.replace("_", " ").lower()), verdict, reasons)


def _file(folder: Path, artifacts: Sequence[Artifact]) -> list[Mapping[str, Any]]:
    digest = next((each.sha256 for each in artifacts if each.path == CLAIMS), None)
    if digest is None:
        return []
    try:
        data = read_regular(folder / CLAIMS)
    except OSError:
        return []
    return list(json.loads(data)) if sha256_hex(data) == digest else []


def failed(runs: Sequence[tuple[str, Stage, str, Sequence[Gate]]]) -> Iterator[FailedGate]:
    """Yield the gates that failed, given (run id, stage, role, gates) of each run, in the order of the stages."""
    order = list(Stage)
    for run_id, stage, role, gates in sorted(runs, key=lambda run: (order.index(run[1]), run[2], run[0])):
        yield from (FailedGate(run_id, stage, role, gate) for gate in gates if gate.verdict is Verdict.FAIL)
