"""Check the chain from the paper to corpus and weights: every stage, one model a role, one text a slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from critnb.canon import CANON, Stage
from critnb.contract import STAGES
from critnb.release import roots
from critnb.release.contents import run_folder
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.runs import Run

# the stages of a chain may run on different machines, and text that the pack carries may be the same in two Pythons
_MAY_DIFFER_OF_A_MODEL, _MAY_DIFFER_OF_TEXT = frozenset({"device"}), frozenset({"revision"})
_SHOWN = 12
_NOT_UPSTREAM = (Stage.S07, Stage.S08)


def chain(release: Opened) -> Result:
    """Follow the records from the paper's run to what no run made, and hold that against its content where it is at hand."""
    known = roots.of(release)
    wrong = [
        *missing(release.runs, release.paper.roles),
        *disagreements(release.runs),
        *(finding for root in known for finding in root.findings),
    ]
    told = "; ".join(f"{root.name} ({root.said})" for root in known)
    return Result(wrong, f"{len(release.runs)} runs from {release.paper.run_id} to: {told}")


def missing(runs: Sequence[Run], roles: Sequence[str]) -> list[str]:
    """Name each stage without a run for one of the roles that a paper is about."""
    there = {(run.stage, role) for run in runs for role in run.roles}
    wanted = [(spec.id, role) for spec in STAGES if spec.id not in _NOT_UPSTREAM for role in roles]
    return [
        f"{CANON.PATH.RUNS_DIR}: no run of {stage} for {role}" for stage, role in wanted if (stage, role) not in there
    ]


def disagreements(runs: Sequence[Run]) -> Iterator[str]:
    """Name each run that says something else than another of what must be one thing along the chain."""
    first_said: dict[str, tuple[str, Run]] = {}
    for run in runs:
        for what, found in _facts(run):
            said, by = first_said.setdefault(what, (found, run))
            if found != said:
                record = f"{run_folder(run.run_id)}/{CANON.OUTPUT.RUN_RECORD_JSON}"
                yield f"{record}: {what} is {_short(found)}, in {by.run_id} it is {_short(said)}"


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    """What a run says of its model, slices and corpora, by what it is of."""
    record, sections, role = run.record, run.inputs.sections, run.inputs.who
    for facts in filter(None, (record.model, sections.get("model"))):
        yield from (
            (f"{key} of {role}", str(value)) for key, value in facts.items() if key not in _MAY_DIFFER_OF_A_MODEL
        )
    for name, facts in record.datasets.items():
        yield from (
            (f"{key} of {name} as {role} reads it", str(value))
            for key, value in facts.items()
            if key not in _MAY_DIFFER_OF_TEXT
        )
    for name, identity in sections.get("data", {}).items():
        yield f"corpus {name}", str(identity["content_sha256"])
