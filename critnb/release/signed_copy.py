"""A signed copy of a release's zip outside of its run, which stays as it is, with the signature beside the copy."""

from __future__ import annotations

from pathlib import Path

from critnb.canon import CANON, Stage
from critnb.errors import DependencyError, IntegrityError, ParamsError, RunExistsError
from critnb.release.signature import sign, signature_path, signing_key
from critnb.release.zip_reader import DamagedError, unpack
from critnb.runs import RunStore
from critnb.runs.files import HashingSink, atomic_file, atomic_write, pieces, sha256_file, storage
from critnb.system.paths import readable_file


def newest_zip(store: RunStore) -> Path:
    """Return the zip of the newest release in a folder of runs; raises DependencyError for none, IntegrityError."""
    run = store.latest(Stage.S08)
    if run is None:
        raise DependencyError(f"{store.root} holds no release; run phase8, or name a zip")
    path = run.path / next(path for path in run.artifacts if path.endswith(".zip"))
    if sha256_file(path)[0] != run.artifacts[path.relative_to(run.path).as_posix()].sha256:
        raise IntegrityError(f"{path} is not the file that its run's record names; delete the run and make it again")
    return path


def sign_copy(path: Path, key: Path, folder: Path | None) -> tuple[Path, str]:
    """Sign a release's zip and return (the path of the zip with its signature beside it, the key in words).

    A zip in a run is copied into ``folder``, by default the working folder; any other zip is signed where it lies unless a
    folder is given. Nothing is written over. Raises IntegrityError for what is no release, SignatureError for a key that cannot
    sign, DependencyError for files that are not there, ParamsError for a folder in a run, RunExistsError, StorageError.
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
    with storage(into, advice="name another folder with --to"):
        into.mkdir(parents=True, exist_ok=True)
        _copy(zip_file, copy, digest)
        atomic_write(beside, signature)
    return copy, signing_key(copy, signature)


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
    with atomic_file(copy) as file:
        sink = HashingSink(file)
        for piece in pieces(source):
            sink.write(piece)
        if sink.sha256 != digest:
            raise IntegrityError(f"{source} was changed while it was copied; nothing is kept")
