"""Whether the runs that a paper rests on are a whole chain: every stage for every role, one model per role, one text per slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from critnb.canon import CANON, Stage
from critnb.contract import STAGES
from critnb.release.contents import run_folder
from critnb.runs import Run

# stages may run on different machines, and text that the pack carries may be the same in two versions of Python
_MAY_DIFFER_OF_A_MODEL, _MAY_DIFFER_OF_TEXT = frozenset({"device"}), frozenset({"revision"})
_SHOWN = 12
_NOT_UPSTREAM = (Stage.S07, Stage.S08)


def missing_runs(runs: Sequence[Run], roles: Sequence[str]) -> list[str]:
    """Return a line for each stage that has no run for one of the roles of the paper."""
    there = {(run.stage, role) for run in runs for role in run.roles}
    wanted = [(spec.id, role) for spec in STAGES if spec.id not in _NOT_UPSTREAM for role in roles]
    return [
        f"{CANON.PATH.RUNS_DIR}: no run of {stage} for {role}" for stage, role in wanted if (stage, role) not in there
    ]


def disagreements(runs: Sequence[Run]) -> Iterator[str]:
    """Yield each contradiction between two runs about what must be the same along the whole chain."""
    earlier: dict[str, tuple[str, Run]] = {}
    for run in runs:
        for what, found in _recorded(run):
            first, by = earlier.setdefault(what, (found, run))
            if found != first:
                record = f"{run_folder(run.run_id)}/{CANON.OUTPUT.RUN_RECORD_JSON}"
                yield f"{record}: {what} is {_short(found)}, in {by.run_id} it is {_short(first)}"


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."


def _recorded(run: Run) -> Iterator[tuple[str, str]]:
    """Yield (what, value) for what a run records of its model, its slices and its corpora."""
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
