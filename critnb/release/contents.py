"""What goes into a release: the files of the pack, and the runs that the paper rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from critnb.canon import CANON, PACK_ROOT
from critnb.contract import spec_of
from critnb.contract.code import changed_code
from critnb.contract.pack_sources import PackSources
from critnb.errors import DependencyError, IntegrityError, StorageError
from critnb.release.zip_writer import Source
from critnb.runs import FindingKind, Run, RunStore, ancestors, pack_files, verify
from critnb.runs.files import read_regular
from critnb.runs.notebook_files import is_notebook, pack_notebook
from critnb.runs.record import record_path


def pack_sources(root: Path = PACK_ROOT) -> list[Source]:
    """Return the pack's own files: the top level that the registry names and all below it, but for hidden files and caches.

    A clone, an unzipped release and a working copy have the same: of a notebook that was saved in an editor, only its
    source is released. Raises IntegrityError for a symbolic link.
    """
    return [Source(name, _released(name, path)) for name, path in pack_files(CANON.PACK, root=root).items()]


def _released(name: str, path: Path) -> Path | bytes:
    if not is_notebook(name):
        return path
    data = read_regular(path)
    source = pack_notebook(data)
    return path if source == data else source


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
    pack = PackSources(root)
    for run in runs:
        if changed := changed_code(spec_of(run.stage), run.inputs, pack=pack):
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise DependencyError(
                f"{run.run_id} was made by other code: {changed[0]}{more} differs from the pack that would be released\n"
                f"run {spec_of(run.stage).command} again without --use, or release the pack that made the run"
            )
