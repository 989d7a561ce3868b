"""Whether runs are still what their records say: one run with its files hashed again, or a chain to its roots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from critnb.canon import CANON
from critnb.errors import DependencyError, IntegrityError, StorageError
from critnb.runs.audit import Finding, FindingKind, audit_files, record_finding, record_findings
from critnb.runs.record import Dependency, read_record, record_path
from critnb.runs.store import RunStore


def verify(run_dir: Path) -> list[Finding]:
    """Hash a run's files again and check its record and the records of its direct upstream runs, which lie beside it.

    Returns [] for a sound run. Raises DependencyError where there is no such directory.
    """
    if not run_dir.is_dir():
        raise DependencyError(f"{run_dir}: no such run; `runner.py list` shows those that exist")
    if record_path(run_dir).is_symlink():
        return [Finding(FindingKind.symlink, CANON.OUTPUT.RUN_RECORD_JSON, "is a symbolic link")]
    try:
        record, _ = read_record(run_dir)
        record.check()
    except IntegrityError as error:
        return [record_finding(str(error))]
    except StorageError as error:
        return [Finding(FindingKind.unread, CANON.OUTPUT.RUN_RECORD_JSON, str(error))]
    return [
        *record_findings(record, run_id=run_dir.name),
        *audit_files(run_dir, record.artifact_index),
        *(finding for each in record.dependencies for finding in _dependency_findings(run_dir.parent, each)),
    ]


def verify_chain(store: RunStore, run_id: str) -> dict[str, list[Finding]]:
    """Verify a run and everything upstream of it, in that order; a missing run is a finding of the runs that name it.

    Raises DependencyError where the first run itself is not there.
    """
    found: dict[str, list[Finding]] = {}
    waiting = [run_id]
    while waiting:
        current = waiting.pop(0)
        if current not in found and (current == run_id or store.path(current).is_dir()):
            found[current] = verify(store.path(current))
            waiting.extend(_upstream(store.path(current)))
    return found


def _upstream(run_dir: Path) -> list[str]:
    try:
        return [dependency.run_id for dependency in read_record(run_dir)[0].dependencies]
    except (IntegrityError, StorageError):
        return []


def _dependency_findings(store: Path, dependency: Dependency) -> Iterator[Finding]:
    try:
        record, digest = read_record(store / dependency.run_id)
    except StorageError as error:
        yield Finding(FindingKind.unread, dependency.run_id, str(error))
        return
    except IntegrityError as error:
        yield Finding(FindingKind.dependency, dependency.run_id, f"upstream run is missing or unreadable ({error})")
        return
    if digest != dependency.record_sha256:
        yield Finding(FindingKind.dependency, dependency.run_id, "its record changed after this run was made from it")
    elif record.stage_hash != dependency.stage_hash or record.stage_id != dependency.stage_id:
        yield Finding(FindingKind.dependency, dependency.run_id, "stage or stage_hash is not the upstream record's")
