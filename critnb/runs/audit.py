"""Whether a run is still what its record says: its files are hashed again, its record is checked, findings tell what is wrong."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from critnb.canon import CANON, Status
from critnb.errors import DependencyError, IntegrityError, StorageError
from critnb.runs.files import may_be_sound, relative_path, sha256_file, symlink_within
from critnb.runs.identity import hash_of, stage_of
from critnb.runs.record import Artifact, Dependency, RunRecord, read_record, record_path


class FindingKind(StrEnum):
    changed = "changed"
    missing = "missing"
    extra = "extra"
    symlink = "symlink"
    escape = "escape"
    record = "record"
    unread = "unread"
    dependency = "dependency"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run; ``path`` is inside the run, or an upstream run id for a dependency."""

    kind: FindingKind
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}: {self.message}"


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


def record_findings(record: RunRecord, *, run_id: str) -> list[Finding]:
    """Return the contradictions in a record that should be the complete one of ``run_id``."""
    return [record_finding(message) for message in _contradictions(record, run_id)]


def _contradictions(record: RunRecord, run_id: str) -> Iterator[str]:
    if record.stage_status != Status.complete:
        yield f"status is {record.stage_status}, not {Status.complete}"
    if record.run_id != run_id:
        yield f"it is the record of {record.run_id}"
    yield from _hash_contradictions(record)
    repeated = [path for path, times in Counter(each.path for each in record.artifact_index).items() if times > 1]
    if repeated:
        yield f"indexed more than once: {', '.join(repeated)}"
    config = [each.sha256 for each in record.artifact_index if each.path == CANON.OUTPUT.CONFIG_RESOLVED_YAML]
    if config != [record.config_hash]:
        yield f"config_hash is not the sha256 of {CANON.OUTPUT.CONFIG_RESOLVED_YAML}"


def _hash_contradictions(record: RunRecord) -> Iterator[str]:
    if record.hash_inputs is None or record.stage_hash != record.hash_inputs.stage_hash():
        yield "stage_hash does not follow from stage_id and hash_inputs"
    digits = hash_of(record.run_id)
    if digits is not None and not (record.stage_hash or "").startswith(digits):
        yield "the run id does not follow from stage_hash"
    if stage_of(record.run_id) != record.stage_id:
        yield f"stage_id {record.stage_id} does not fit the run id"
    hashed = set(record.hash_inputs.upstream.values()) if record.hash_inputs else set()
    if hashed != {dependency.run_id for dependency in record.dependencies}:
        yield "dependencies are not the upstream runs of hash_inputs"


def audit_files(root: Path, artifacts: Sequence[Artifact], *, ignored: Collection[str] = ()) -> list[Finding]:
    """Compare the files below root with an index; findings are changed, missing, extra, symlink, escape or unread.

    ``ignored`` names files or top folders to leave out; the record itself always is.
    """
    expected = [artifact for artifact in artifacts if artifact.path not in ignored]
    indexed = [finding for artifact in expected if (finding := _artifact_finding(root, artifact)) is not None]
    known = {artifact.path for artifact in expected} | {CANON.OUTPUT.RUN_RECORD_JSON, *ignored}
    return [*indexed, *_stray_findings(root, known)]


def _artifact_finding(root: Path, artifact: Artifact) -> Finding | None:
    try:
        path = relative_path(artifact.path)
    except IntegrityError:
        return Finding(FindingKind.escape, artifact.path, "the index names a path that is not plainly inside the run")
    try:
        if symlink_within(root, path) is not None:
            return Finding(FindingKind.symlink, artifact.path, "is a symbolic link or lies behind one")
        digest, size = sha256_file(root / path)
    except OSError as error:
        return _no_content(artifact.path, error)
    return _content_finding(artifact, digest, size)


def _no_content(path: str, error: OSError) -> Finding:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Finding(FindingKind.missing, path, "is in the index but not on disk")
    if may_be_sound(error):
        return Finding(FindingKind.unread, path, f"cannot be read now: {error.strerror}; it may be sound, try again")
    return Finding(FindingKind.changed, path, f"cannot be read as a file: {error.strerror}")


def _content_finding(artifact: Artifact, digest: str, size: int) -> Finding | None:
    if size != artifact.bytes:
        return Finding(FindingKind.changed, artifact.path, f"has {size} bytes, the record says {artifact.bytes}")
    if digest != artifact.sha256:
        message = f"sha256 is {digest[:12]}..., the record says {artifact.sha256[:12]}..."
        return Finding(FindingKind.changed, artifact.path, message)
    return None


def _stray_findings(root: Path, known: Collection[str]) -> Iterator[Finding]:
    unlisted: list[OSError] = []
    for path in _entries(root, unlisted):
        relative = path.relative_to(root).as_posix()
        if relative in known or relative.partition("/")[0] in known:
            continue
        if path.is_symlink():
            yield Finding(FindingKind.symlink, relative, "is a symbolic link")
        elif path.is_dir():
            yield Finding(FindingKind.extra, relative, "is an empty folder, and a run has none")
        else:
            yield Finding(FindingKind.extra, relative, "is on disk but not in the index")
    for error in unlisted:
        folder = Path(error.filename).relative_to(root).as_posix()
        yield Finding(FindingKind.unread, folder, f"cannot be listed now: {error.strerror}; try again")


def _entries(root: Path, unlisted: list[OSError]) -> Iterator[Path]:
    """Yield every file, link and empty folder below root, sorted; links are not followed.

    The error of a folder that cannot be listed is added to ``unlisted``.
    """
    for folder, folders, files in os.walk(root, onerror=unlisted.append):
        folders.sort()
        if not folders and not files and Path(folder) != root:
            yield Path(folder)
        names = sorted([*files, *(name for name in folders if (Path(folder) / name).is_symlink())])
        yield from (Path(folder) / name for name in names)


def record_finding(message: str) -> Finding:
    """Return a finding about the record itself."""
    return Finding(FindingKind.record, CANON.OUTPUT.RUN_RECORD_JSON, message)
