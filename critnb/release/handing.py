"""Hand a release out signed: a copy of its zip outside the run, which stays as it is, and the signature beside the copy."""

from __future__ import annotations

import hashlib
from pathlib import Path

from critnb.canon import CANON, Stage
from critnb.errors import DependencyError, IntegrityError, ParamsError, RunExistsError, StorageError
from critnb.release.reading import DamagedError, unpack
from critnb.release.signature import sign, signature_path, signed_with
from critnb.runs import RunStore
from critnb.runs.files import atomic_file, atomic_write, open_regular, sha256_file
from critnb.system.paths import readable_file

_PIECE = 1 << 20


def newest_zip(store: RunStore) -> Path:
    """Return the zip of the newest release in a folder of runs; raises DependencyError for none, IntegrityError."""
    run = store.latest(Stage.S08)
    if run is None:
        raise DependencyError(f"{store.root} holds no release; run phase8, or name a zip")
    path = run.path / next(path for path in run.artifacts if path.endswith(".zip"))
    if sha256_file(path)[0] != run.artifacts[path.relative_to(run.path).as_posix()].sha256:
        raise IntegrityError(f"{path} is not the file that its run's record names; delete the run and make it again")
    return path


def hand_out(path: Path, key: Path, folder: Path | None) -> tuple[Path, str]:
    """Sign a release's zip and return (where the zip lies with its signature beside it, the key in words).

    A zip in a run is copied into the folder, the one one is in if none is given; any other is signed where it lies. Nothing is
    written over. Raises IntegrityError for what is no release, SignatureError for a key that cannot sign, DependencyError
    for files that are not there, RunExistsError, StorageError.
    """
    zip_file, key = readable_file(path), readable_file(key)
    into = (folder or (Path.cwd() if _in_run(zip_file) else zip_file.parent)).absolute()
    if _in_run(into / zip_file.name):
        raise ParamsError(f"{into} is part of a run, which nothing is added to; name another folder with --to")
    copy = into / zip_file.name
    beside = signature_path(copy)
    if beside.exists():
        raise RunExistsError(f"{beside} exists; delete it to sign again, or name another folder with --to")
    digest = _digest_of_release(zip_file)
    signature = sign(zip_file, key)
    try:
        into.mkdir(parents=True, exist_ok=True)
        _copy(zip_file, copy, digest)
        atomic_write(beside, signature)
    except OSError as error:
        if isinstance(error, RunExistsError):
            raise
        where = error.filename or into
        raise StorageError(f"{where}: {error.strerror or error}; name another folder with --to") from error
    return copy, signed_with(copy, signature)


def _in_run(path: Path) -> bool:
    return any((folder / CANON.OUTPUT.RUN_RECORD_JSON).exists() for folder in path.resolve().parents)


def _digest_of_release(path: Path) -> str:
    try:
        wrong = [f"{each.name}: {each.problem}" for each in unpack(path, None) if each.problem]
    except DamagedError as error:
        raise IntegrityError(f"{path} is no release: {error}") from error
    if wrong:
        raise IntegrityError(f"{path} is no sound release: {wrong[0]}")
    return sha256_file(path)[0]


def _copy(source: Path, copy: Path, digest: str) -> None:
    if copy.exists():
        if sha256_file(copy)[0] != digest:
            raise RunExistsError(f"{copy} exists and is another file; name another folder with --to")
        return
    hashed = hashlib.sha256()
    with open_regular(source) as zip_file, atomic_file(copy) as file:
        while piece := zip_file.read(_PIECE):
            hashed.update(piece)
            file.write(piece)
        if hashed.hexdigest() != digest:
            raise IntegrityError(f"{source} was changed while it was copied; nothing is kept")
