"""The record of a run: what it was made from, by what, when, and the digest of every file it holds.

``spec/run_record.schema.json`` is its JSON Schema, checked before a run is sealed and when one is verified.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from critnb.canon import CANON, SPEC_DIR, Stage, Status
from critnb.errors import DataError, IntegrityError
from critnb.runs.decoding import json_value
from critnb.runs.encoding import json_bytes
from critnb.runs.environment import pack_version
from critnb.runs.files import atomic_write, may_be_sound, open_regular, sha256_hex, unread_error
from critnb.runs.identity import HashInputs, phase_id, stage_of

SCHEMA_PATH = SPEC_DIR / "run_record.schema.json"
# characters of a problem that are shown, and bytes of a record that are read; the demo's records have a thousandth of that
_LONGEST_PROBLEM, _LONGEST_RECORD = 160, 1 << 24


@dataclass(frozen=True)
class Artifact:
    """One file of a run.

    ``path`` is POSIX, relative and normal, and stays inside the run; ``bytes`` and ``sha256`` are those of the file, which
    ``Run.read_bytes`` holds it to at every reading.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    created_utc: str


@dataclass(frozen=True)
class Dependency:
    """An upstream run of a record.

    ``record_sha256`` is the digest of the upstream record's bytes. That record holds the digests of its files and of its own
    upstream records, so a change of any byte upstream shows.
    """

    stage_id: Stage
    run_id: str
    stage_hash: str
    record_sha256: str


@dataclass(frozen=True)
class RunRecord:
    """``run_record.json`` as a value. None stands for what is not known yet; a complete record knows all but ``error``.

    Of every record: ``RunRecord.from_dict(record.to_dict()) == record``. Of a complete one, as ``audit.record_findings``
    checks: ``stage_hash`` follows from ``stage_id`` and ``hash_inputs``, and a ``run_id`` that holds digits of a hash from
    ``stage_hash``; ``dependencies`` are the upstream runs of ``hash_inputs``; ``artifact_index`` names each path once;
    ``config_hash`` is the sha256 of the resolved params.
    """

    schema_version: str
    project_id: str
    pack_version: str
    run_id: str
    stage_id: Stage
    phase_id: str
    stage_status: Status
    created_utc: str
    finished_utc: str | None = None
    error: str | None = None
    command: tuple[str, ...] = ()
    params_sections: tuple[str, ...] = ()
    config_hash: str | None = None
    stage_hash: str | None = None
    hash_inputs: HashInputs | None = None
    dependencies: tuple[Dependency, ...] = ()
    model: Mapping[str, Any] | None = None
    datasets: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[Mapping[str, Any], ...] = ()
    determinism: Mapping[str, Any] | None = None
    code: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    forward_windows: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    artifact_index: tuple[Artifact, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def started(cls, run_id: str) -> RunRecord:
        """Return the record that a run begins with; raises DependencyError for text that is no run id."""
        stage = stage_of(run_id)
        return cls(
            schema_version=CANON.PROJECT.RECORD_SCHEMA_VERSION,
            project_id=CANON.PROJECT.ID,
            pack_version=pack_version(),
            run_id=run_id,
            stage_id=stage,
            phase_id=phase_id(stage),
            stage_status=Status.started,
            created_utc=utc_now(),
        )

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> RunRecord:
        """Return the record of parsed JSON; raises IntegrityError, one line, where a record cannot be built from it.

        Types inside sections are checked by ``check``, not here.
        """
        try:
            return cls._typed(tree)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise IntegrityError(schema_problem(tree) or f"not a run record: {error}") from error

    @classmethod
    def _typed(cls, tree: Mapping[str, Any]) -> RunRecord:
        if differing := set(tree) ^ {item.name for item in fields(cls)}:
            raise ValueError(f"fields {', '.join(sorted(differing))}")
        stage, inputs = Stage(tree["stage_id"]), tree["hash_inputs"]
        typed = {
            "stage_id": stage,
            "stage_status": Status(tree["stage_status"]),
            "hash_inputs": None if inputs is None else HashInputs.from_dict(stage, inputs),
            "dependencies": tuple(_dependency(row) for row in tree["dependencies"]),
            "artifact_index": tuple(Artifact(**row) for row in tree["artifact_index"]),
        }
        lists = {key: tuple(value) for key, value in tree.items() if isinstance(value, list)}
        return cls(**{**tree, **lists, **typed})

    def check(self) -> None:
        """Raise IntegrityError, one line naming run and field, where the record breaks its JSON Schema."""
        if (problem := schema_problem(self.to_dict())) is not None:
            raise IntegrityError(f"{self.run_id}: {problem}")

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values, fields in the order of this class."""
        return {item.name: plain(getattr(self, item.name)) for item in fields(self)}

    def with_sections(self, sections: Mapping[str, Any]) -> RunRecord:
        """Return a record with these fields replaced; raises IntegrityError for unknown fields and unfit shapes."""
        known = {item.name for item in fields(self)}
        if unknown := sorted(set(sections) - known):
            raise IntegrityError(f"a run record has no field {', '.join(unknown)}")
        changed = {name: plain(value) for name, value in sections.items()}
        try:
            return RunRecord.from_dict(json.loads(json_bytes(self.to_dict() | changed)))
        except IntegrityError as error:
            raise IntegrityError(f"{self.run_id}: {error}") from error

    def with_artifact(self, artifact: Artifact) -> RunRecord:
        """Return a record whose index holds the artifact, in place of an earlier one at the same path."""
        others = [other for other in self.artifact_index if other.path != artifact.path]
        return replace(self, artifact_index=(*others, artifact))


def plain(value: Any) -> Any:
    """Return the value in types of JSON, with the record's own types as mappings."""
    if isinstance(value, HashInputs):
        return value.as_dict()
    if isinstance(value, Artifact | Dependency):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _dependency(row: Mapping[str, Any]) -> Dependency:
    return Dependency(**{**row, "stage_id": Stage(row["stage_id"])})


def utc_now() -> str:
    """Return the time in the form of records: UTC, ISO 8601, microseconds, Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record_path(run: Path) -> Path:
    """Return where a run's record lies."""
    return run / CANON.OUTPUT.RUN_RECORD_JSON


def read_record(run: Path) -> tuple[RunRecord, str]:
    """Return (record, sha256 of its bytes) of a run directory.

    Raises IntegrityError naming file and reason for what is no record, StorageError where it could not be read.
    """
    path = record_path(run)
    try:
        data = _bytes(path)
        return RunRecord.from_dict(json_value(data)), sha256_hex(data)
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and may_be_sound(error):
            raise unread_error(path, error) from error
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise IntegrityError(f"{path}: {cause}; the run cannot be trusted, delete it and make it again") from error


def _bytes(path: Path) -> bytes:
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > _LONGEST_RECORD:
            raise DataError(f"longer than {_LONGEST_RECORD} bytes")
        return file.read()


def write_record(run: Path, record: RunRecord) -> None:
    """Replace a run's record whole; raises OSError."""
    atomic_write(record_path(run), json_bytes(record.to_dict()))


def schema_problem(tree: Any) -> str | None:
    """Return one line on where parsed JSON breaks the schema of records, None for a valid record."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(tree))
    if error is None:
        return None
    message = " ".join(error.message.split())
    short = message if len(message) <= _LONGEST_PROBLEM else f"{message[:_LONGEST_PROBLEM]} ..."
    return f"record field {error.json_path.removeprefix('$.')}: {short}"


@cache
def _validator() -> Any:
    # imported here: jsonschema takes two seconds to import, which neither a listing nor a notebook's kernel should wait for
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
