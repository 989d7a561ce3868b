"""The last steps of a run: check, seal, move. Killed between any two of them, it is partial or complete, never both."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from critnb.canon import CANON, Status
from critnb.errors import IntegrityError, RunExistsError
from critnb.runs.audit import Finding, audit_files, record_findings
from critnb.runs.events import LOG_PATH, EventType, append_event
from critnb.runs.files import sha256_file, sync_folder
from critnb.runs.locks import LOCK_FILES, STORE_LOCK, exclusively
from critnb.runs.record import Artifact, RunRecord, read_record, utc_now, write_record

_NOT_PUBLISHED = frozenset({CANON.RUN_SUBDIR.CHECKPOINTS, *LOCK_FILES})
_LOG_MEDIA_TYPE = "application/jsonl"
_FINDINGS_SHOWN = 3


def seal(partial: Path, run_id: str) -> None:
    """Give a partial run its complete record and make its files read-only.

    Raises IntegrityError, before anything is changed, for files that differ from the index and for a record that is
    not fit to be complete; OSError.
    """
    _remove_empty_folders(partial)
    record, _ = read_record(partial)
    outcome = {"stage_status": Status.complete, "finished_utc": utc_now(), "error": None}
    complete = record.with_sections(outcome)
    complete.check()
    _refuse(partial, audit_files(partial, record.artifact_index, ignored=_NOT_PUBLISHED | {LOG_PATH}))
    _refuse(partial, record_findings(complete, run_id=run_id))
    append_event(partial, run_id, EventType.stage_complete, {"artifacts": len(record.artifact_index)})
    append_event(partial, run_id, EventType.end, {"status": Status.complete})
    write_record(partial, complete.with_artifact(_log_artifact(partial)))
    _protect(partial, complete)


def _remove_empty_folders(partial: Path) -> None:
    """Remove folders whose first file was never finished, which are no reason to refuse a run."""
    for folder, _, _ in os.walk(partial, topdown=False):
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def move(partial: Path) -> Path:
    """Rename a sealed run to its final name, without its checkpoints and locks, and return that path.

    Raises RunExistsError where something has that name already, OSError.
    """
    final = partial.with_name(partial.name.removesuffix(CANON.PATH.PARTIAL_SUFFIX))
    # nobody may claim the run, or ask who holds it, after its locks are gone and before it has its new name
    with exclusively(partial.parent / STORE_LOCK):
        if os.path.lexists(final):
            raise RunExistsError(f"{final} exists already; a run is never written over")
        if (checkpoints := partial / CANON.RUN_SUBDIR.CHECKPOINTS).exists():
            shutil.rmtree(checkpoints)
        _remove_locks(partial)
        partial.rename(final)
        # another process that lists runs may have made an empty lock file again in the meantime
        _remove_locks(final)
        sync_folder(final.parent)
    return final


def remove(partial: Path) -> None:
    """Remove a partial run whole; raises OSError."""
    with exclusively(partial.parent / STORE_LOCK):
        vanish(partial)


def vanish(run: Path) -> None:
    """Remove a run's folder while the lock of its runs folder is held; raises OSError.

    It gets another name first, so that a removal that is cut off leaves no run, and nobody makes a file in what goes.
    """
    gone = run.with_name(f".{run.name}.removed")
    shutil.rmtree(gone, ignore_errors=True)
    run.rename(gone)
    shutil.rmtree(gone)


def _refuse(partial: Path, findings: list[Finding]) -> None:
    if findings:
        shown = "; ".join(str(finding) for finding in findings[:_FINDINGS_SHOWN])
        more = f" and {len(findings) - _FINDINGS_SHOWN} more" if len(findings) > _FINDINGS_SHOWN else ""
        raise IntegrityError(f"{partial} cannot be published: {shown}{more}")


def _log_artifact(partial: Path) -> Artifact:
    with (partial / LOG_PATH).open("rb") as handle:
        os.fsync(handle.fileno())
    digest, size = sha256_file(partial / LOG_PATH)
    return Artifact(LOG_PATH, digest, size, _LOG_MEDIA_TYPE, utc_now())


def _protect(partial: Path, record: RunRecord) -> None:
    paths = [*(artifact.path for artifact in record.artifact_index), LOG_PATH, CANON.OUTPUT.RUN_RECORD_JSON]
    for path in paths:
        (partial / path).chmod(0o444)
    for folder in {(partial / path).parent for path in paths} | {partial}:
        sync_folder(folder)


def _remove_locks(folder: Path) -> None:
    for name in LOCK_FILES:
        (folder / name).unlink(missing_ok=True)
