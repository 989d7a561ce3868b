"""What one who forges a release makes true again, so that only the numbers themselves can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from critnb.canon import Stage
from critnb.release.manifest import to_text
from critnb.runs import RunStore
from critnb.runs.files import sha256_file
from critnb.runs.record import Artifact, Dependency, read_record, write_record


def list_again(folder: Path) -> None:
    """Make the manifest true again, as one who forges a release would."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "MANIFEST.sha256")
    digests = {path.relative_to(folder).as_posix(): sha256_file(path)[0] for path in files}
    (folder / "MANIFEST.sha256").write_bytes(to_text(digests))


def index_again(run: Path, path: str) -> None:
    """Make a run's record true again of one of its files."""
    record, _ = read_record(run)
    digest, size = sha256_file(run / path)

    def renewed(each: Artifact) -> Artifact:
        return replace(each, sha256=digest, bytes=size) if each.path == path else each

    write_record(run, replace(record, artifact_index=tuple(map(renewed, record.artifact_index))))


def link_again(folder: Path) -> None:
    """Make every record name its upstream records as they are now, from the roots on."""
    order = {stage: place for place, stage in enumerate(Stage)}
    for run in sorted(RunStore(folder / "runs").runs(), key=lambda run: order[run.stage]):
        record, _ = read_record(run.path)

        def renewed(each: Dependency) -> Dependency:
            return replace(each, record_sha256=read_record(folder / "runs" / each.run_id)[1])

        write_record(run.path, replace(record, dependencies=tuple(map(renewed, record.dependencies))))
