"""What goes into a release: the files of the pack, and the runs that the paper rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from critnb.canon import CANON, PACK_ROOT
from critnb.contract import spec_of
from critnb.errors import DependencyError, IntegrityError, StorageError
from critnb.pipeline.plan import stage_files
from critnb.release.zip_writer import Source
from critnb.runs import FindingKind, Run, RunStore, ancestors, notebook_source, pack_files, verify
from critnb.runs.files import read_regular, sha256_hex
from critnb.runs.record import record_path

_LF, _CRLF = b"\n", b"\r\n"


def pack_sources(root: Path = PACK_ROOT) -> list[Source]:
    """Return the pack's own files: the top level that the registry names and all below it, but for hidden files and caches.

    A clone, an unzipped release and a working copy have the same. Raises IntegrityError for a symbolic link.
    """
    return [Source(name, path) for name, path in pack_files(CANON.PACK, root=root).items()]


def run_sources(runs: Iterable[Run]) -> Iterator[Source]:
    """Yield every file of the runs, records included, at its place in a release."""
    for run in runs:
        folder = run_folder(run.run_id)
        yield Source(f"{folder}/{CANON.OUTPUT.RUN_RECORD_JSON}", record_path(run.path))
        yield from (Source(f"{folder}/{path}", run.path / path) for path in run.artifacts)


def run_folder(run_id: str) -> str:
    """Return where a run lies in a release."""
    return f"{CANON.PATH.RUNS_DIR}/{run_id}"


def closure(store: RunStore, roots: Sequence[Run]) -> list[Run]:
    """Return the runs and everything upstream of them, sorted by id; raises DependencyError for a run that is not there."""
    found = {run.run_id: run for run in (*roots, *ancestors(store, roots).every())}
    return [found[run_id] for run_id in sorted(found)]


def check_runs(runs: Sequence[Run], root: Path = PACK_ROOT) -> None:
    """Hash every file of the runs again and hold their code against the pack's.

    Raises IntegrityError for a run that is not what its record says, StorageError for one that cannot be read now,
    DependencyError for one made by other code.
    """
    for run in runs:
        if findings := verify(run.path):
            if all(finding.kind is FindingKind.unread for finding in findings):
                raise StorageError(f"{run.run_id}: {findings[0]}")
            raise IntegrityError(
                f"{run.run_id} is not what its record says: {findings[0]}\n"
                f"delete the run and make it again; runner.py verify {run.run_id} shows everything"
            )
    digests = file_digests(root)
    for run in runs:
        if changed := other_code(run, digests, root):
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise DependencyError(
                f"{run.run_id} was made by other code: {changed[0]}{more} differs from the pack that would be released\n"
                f"run {spec_of(run.stage).command} again without --use, or release the pack that made the run"
            )


def file_digests(root: Path) -> dict[str, frozenset[str]]:
    """Return path -> the sha256 that a record may name for each file of a pack: of its bytes, or of its text with LF."""
    digests = {}
    for name, path in pack_files(CANON.PACK, root=root).items():
        data = read_regular(path)
        digests[name] = frozenset({sha256_hex(data), sha256_hex(data.replace(_CRLF, _LF))})
    return digests


def other_code(run: Run, digests: Mapping[str, frozenset[str]], root: Path) -> list[str]:
    """Return the files by which the pack at ``root`` is not what a run was made from, its notebook first.

    Which files and notebook these are the stage table says, not the record.
    """
    spec, recorded = spec_of(run.stage), run.inputs.sources
    wanted = stage_files(spec, root=root)
    changed = [path for path, digest in recorded.items() if digest not in digests.get(path, frozenset())]
    sources = [*changed, *sorted(path for path in {*wanted} ^ {*recorded} if path not in changed)]
    notebook = f"{CANON.PATH.NOTEBOOKS_DIR}/{spec.notebook}"
    path = root / notebook
    same = path.is_file() and sha256_hex(notebook_source(path)) == run.inputs.notebook_sha256
    return sources if same else [notebook, *sources]
