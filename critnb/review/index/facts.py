"""What the page says of a run, taken from its record; a record in any state is read as far as possible, without an error."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from critnb.canon import CANON, Stage, Status
from critnb.errors import IntegrityError
from critnb.gates import Gate, Verdict
from critnb.params import Params
from critnb.review.index.verdicts import ClaimFacts, claims_of
from critnb.runs import Artifact, HashInputs, RunRecord, RunState, RunStore, flatten, stage_of
from critnb.runs.files import read_regular, relative_path, sha256_hex
from critnb.runs.record import record_path

# What reading a record can raise if its sections have unexpected types.
_STRANGE = (AttributeError, IntegrityError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


class RunStatus(StrEnum):
    complete = "complete"
    running = "running"
    failed = "failed"
    incomplete = "incomplete"
    unreadable = "unreadable"


@dataclass(frozen=True)
class ChangedParam:
    """A param with another value than its default, both as JSON; the default is None for a key that has none."""

    key: str
    value: str
    default: str | None


@dataclass(frozen=True)
class RunFacts:
    """One run as the page shows it; ``folder`` is its directory below the page, ``reason`` why it is not complete."""

    run_id: str
    stage: Stage
    folder: str
    status: RunStatus
    reason: str = ""
    role: str = ""
    model: str = ""
    created: str = ""
    seconds: float | None = None
    upstream: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    changed_params: tuple[ChangedParam, ...] = ()
    command: str = ""
    circumstances: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    claims: tuple[ClaimFacts, ...] = ()

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """How many gates have each verdict that any has, in the order of the verdicts."""
        counts = Counter(gate.verdict for gate in self.gates)
        return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}


def facts_of(store: RunStore) -> list[RunFacts]:
    """Return the facts of every run in the folder, partial ones too, sorted by id; a model's name comes from upstream."""
    found = {run_id: _facts(store, run_id) for run_id in store.ids()}
    return [replace(facts, model=_model(facts, found)) for facts in found.values()]


def _model(facts: RunFacts, found: Mapping[str, RunFacts]) -> str:
    """The run's own model, or those of the runs above it; dependencies of broken records may be a ring."""
    names, seen, waiting = dict[str, None](), set[str](), [facts.run_id]
    while waiting:
        run_id = waiting.pop(0)
        if run_id in seen or run_id not in found:
            continue
        seen.add(run_id)
        if found[run_id].model:
            names[found[run_id].model] = None
        else:
            waiting.extend(found[run_id].upstream)
    return " + ".join(sorted(names))


def _facts(store: RunStore, run_id: str) -> RunFacts:
    state = store.state(run_id)
    path = store.path(run_id) if state is RunState.complete else store.partial_path(run_id)
    bare = RunFacts(run_id, stage_of(run_id), path.name, RunStatus.unreadable)
    try:
        data = read_regular(record_path(path))
        tree = json.loads(data)
    except OSError as error:
        return replace(bare, reason=f"{CANON.OUTPUT.RUN_RECORD_JSON}: {error.strerror}")
    except (ValueError, RecursionError):
        return replace(bare, reason=f"{CANON.OUTPUT.RUN_RECORD_JSON} is no JSON")
    try:
        return _read(bare, tree, state, sha256_hex(data), path)
    except _STRANGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return replace(bare, reason=f"its record cannot be understood: {reason}", created=_text(tree, "created_utc"))


def _text(tree: Any, key: str) -> str:
    value = tree.get(key) if isinstance(tree, Mapping) else None
    return value if isinstance(value, str) else ""


def _read(bare: RunFacts, tree: Any, state: RunState, digest: str, folder: Path) -> RunFacts:
    version = tree.get("schema_version")
    if version != CANON.PROJECT.RECORD_SCHEMA_VERSION:
        raise IntegrityError(
            f"its schema is {version}, this version of the pack reads {CANON.PROJECT.RECORD_SCHEMA_VERSION}"
        )
    record = RunRecord.from_dict(tree)
    if record.run_id != bare.run_id:
        raise IntegrityError(f"it is the record of {record.run_id}")
    sections = dict(record.hash_inputs.sections) if record.hash_inputs else {}
    status, reason = _status(record, state)
    artifacts = tuple(_plain(artifact) for artifact in record.artifact_index if _is_inside(artifact))
    return replace(
        bare,
        status=status,
        reason=reason,
        role=_role(record.hash_inputs),
        model=str((record.model or {}).get("id") or ""),
        created=str(record.created_utc),
        seconds=_seconds(record),
        upstream=tuple(str(dependency.run_id) for dependency in record.dependencies),
        gates=tuple(_gate(row) for row in record.metrics.get("gates", ())),
        warnings=tuple(map(str, record.warnings)),
        notes=tuple(map(str, record.notes)),
        changed_params=tuple(_changed_params(sections.get("params") or {})),
        command=" ".join(map(str, record.command)),
        circumstances=tuple(filter(None, _circumstances(record))),
        digests=_digests(record, digest),
        artifacts=artifacts,
        claims=claims_of(folder, artifacts, record.metrics) if record.stage_id is Stage.S07 else (),
    )


def _role(inputs: HashInputs | None) -> str:
    """Return one role, or in words those that the run joins."""
    if inputs is None or not inputs.roles:
        return ""
    return f"{inputs.roles[0]} alone" if inputs.joins_roles and len(inputs.roles) == 1 else " + ".join(inputs.roles)


def _status(record: RunRecord, state: RunState) -> tuple[RunStatus, str]:
    if state is RunState.complete:
        if record.stage_status is Status.complete:
            return RunStatus.complete, ""
        return RunStatus.unreadable, f"its folder has the name of a complete run, its record says {record.stage_status}"
    if state is RunState.held:
        return RunStatus.running, "it was at work when this page was written"
    if record.stage_status is Status.failed:
        return RunStatus.failed, record.error or "it does not say why"
    return RunStatus.incomplete, "its process ended without a word; --allow-resume goes on with it"


def _seconds(record: RunRecord) -> float | None:
    if record.finished_utc is None:
        return None
    return (datetime.fromisoformat(record.finished_utc) - datetime.fromisoformat(record.created_utc)).total_seconds()


def _gate(row: Mapping[str, Any]) -> Gate:
    return Gate(
        name=str(row["name"]),
        value=row["value"],
        condition=str(row["condition"]),
        verdict=Verdict(row["verdict"]),
        reason=str(row.get("reason") or ""),
    )


def _changed_params(params: Mapping[str, Any]) -> list[ChangedParam]:
    given, defaults = flatten(params), _defaults()
    return [
        ChangedParam(key, given[key], defaults.get(key)) for key in sorted(given) if given[key] != defaults.get(key)
    ]


@cache
def _defaults() -> dict[str, str]:
    return flatten(Params().sections())


def _circumstances(record: RunRecord) -> Iterator[str]:
    """What a run was made with and does not depend on, phrase by phrase; a phrase may be empty."""
    model, code, machine = record.model or {}, record.code or {}, record.environment or {}
    packages = machine.get("packages") or {}
    yield " ".join(str(model[key]) for key in ("device", "dtype") if model.get(key))
    yield f"{record.forward_windows} forward windows" if record.forward_windows else ""
    yield " ".join(
        map(str, filter(None, [CANON.PROJECT.ID, code.get("version"), str(code.get("git_commit") or "")[:12]]))
    )
    yield "sources changed since that commit" if code.get("dirty") else ""
    yield f"Python {machine['python']}" if machine.get("python") else ""
    yield from (f"{name} {packages[name]}" for name in ("numpy", "torch") if packages.get(name))


def _digests(record: RunRecord, digest: str) -> dict[str, str]:
    model, code = record.model or {}, record.code or {}
    named = {
        "this run's record": digest,
        "stage hash (its first digits name the run)": record.stage_hash,
        "resolved config": record.config_hash,
        "sources of the stage": code.get("sources_sha256"),
        "weights": model.get("weights_sha256"),
        "tokenizer": model.get("tokenizer_sha256"),
        **{f"text of {role}": dict(facts).get("slice_sha256") for role, facts in record.datasets.items()},
    }
    return {name: str(value) for name, value in named.items() if value}


def _plain(artifact: Artifact) -> Artifact:
    return replace(artifact, sha256=str(artifact.sha256), bytes=int(artifact.bytes))


def _is_inside(artifact: Artifact) -> bool:
    """Whether the page may link to it: a broken record's path may lead anywhere."""
    try:
        relative_path(artifact.path)
    except IntegrityError:
        return False
    return True
