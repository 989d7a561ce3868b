"""What one who forges a release makes true again, so that only the numbers themselves can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from critnb.canon import Stage
from critnb.errors import CritnbError
from critnb.params import Release
from critnb.release.build import generated
from critnb.release.contents import closure
from critnb.release.metadata import Metadata
from critnb.runs import RunStore
from critnb.runs.files import sha256_file
from critnb.runs.manifest import GENERATED, manifest_bytes
from critnb.runs.record import Artifact, Dependency, read_record, write_record

NAMELESS = Release()


def list_again(folder: Path, about: Release = NAMELESS) -> None:
    """Make the manifest, the metadata and the page of runs true again, as far as runs can be read."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    read = {name: sha256_file(path) for name, path in found.items() if name not in GENERATED}
    files = {name: (size, digest) for name, (digest, size) in read.items()}
    store = RunStore(folder / "runs")
    try:
        runs = closure(store, [*store.runs(Stage.S07), *store.runs(Stage.S00)])
        made = generated(files, runs, store, Metadata.of(about, folder))
    except (CritnbError, ValueError, RecursionError):
        made = {"MANIFEST.sha256": manifest_bytes({name: digest for name, (_, digest) in files.items()})}
    for name, content in made.items():
        (folder / name).write_bytes(content)


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
