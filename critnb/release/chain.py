"""Check the chain from the paper to corpus and weights: every stage, one model a role, one text a slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from critnb.canon import CANON, Stage
from critnb.release import roots
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.runs import Run
from critnb.runs.record import record_path
from critnb.stages import STAGES

_OF_A_MODEL = ("weights_sha256", "tokenizer_sha256", "class", "n_layers", "d_ff")
_SHOWN = 12
_NOT_UPSTREAM = (Stage.S07, Stage.S08)


def chain(release: Opened) -> Result:
    """Follow the records from the paper's run to what no run made, and hold that against its content where it is at hand."""
    known = roots.of(release)
    wrong = [
        *missing(release.runs, release.paper.roles),
        *_disagreements(release),
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


def _disagreements(release: Opened) -> Iterator[str]:
    """Name each run that says something else than another of what must be one thing along the chain."""
    first_said: dict[str, tuple[str, Run]] = {}
    for run in release.runs:
        for what, found in _facts(run):
            said, by = first_said.setdefault(what, (found, run))
            if found != said:
                record = record_path(run.path).relative_to(release.folder)
                yield f"{record.as_posix()}: {what} is {_short(found)}, in {by.run_id} it is {_short(said)}"


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    """What a run says of its model, slices and corpora, mostly digests, by what it is of."""
    record, sections, role = run.record, run.inputs.sections, run.inputs.who
    for facts in filter(None, (record.model, sections.get("model"))):
        yield from ((f"{key} of {role}", str(facts[key])) for key in _OF_A_MODEL if key in facts)
    for name, facts in record.datasets.items():
        yield f"text of {name} as {role} reads it", str(facts["slice_sha256"])
    for name, identity in sections.get("data", {}).items():
        yield f"corpus {name}", str(identity["content_sha256"])
