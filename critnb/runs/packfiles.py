"""The files of the pack itself: which they are in a clone, an unzipped release or a working copy full of caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from critnb.canon import CARRIED, PACK_ROOT, pack_path
from critnb.errors import IntegrityError
from critnb.runs.files import read_regular, sha256_file, sha256_hex
from critnb.runs.notebook_files import is_notebook, pack_notebook

_NOT_OURS = frozenset({"__pycache__", CARRIED})
# Python imports these before, or in place of, the source of the same name
_COMPILED = frozenset({".pyc", ".pyo", ".so", ".pyd"})


def pack_files(names: Sequence[str], *, root: Path = PACK_ROOT) -> dict[str, Path]:
    """Return POSIX path -> file for the named files and everything below the named folders of the pack, sorted by path.

    Hidden files, caches and compiled code inside a folder are left out, so that a clone and a working copy list the same;
    a hidden file that is named itself is in. A name that is not there is left out too. Raises IntegrityError for a symbolic link.
    """
    tops = {name: pack_path(name, root) for name in names}
    found = {_named(name, path, top): path for name, top in tops.items() for path in _below(top)}
    return dict(sorted(found.items()))


def _named(name: str, path: Path, top: Path) -> str:
    return (PurePosixPath(name) / path.relative_to(top)).as_posix()


def pack_digests(names: Sequence[str], *, root: Path = PACK_ROOT) -> dict[str, str]:
    """Return POSIX path -> sha256 of the bytes of the files that ``pack_files`` lists; raises its errors and OSError.

    Notebooks count in the form that ``pack_notebook`` gives them, so that saving one in an editor is no change.
    """
    files = pack_files(names, root=root)
    return {
        name: sha256_hex(pack_notebook(read_regular(path))) if is_notebook(name) else sha256_file(path)[0]
        for name, path in files.items()
    }


def _below(path: Path) -> Iterator[Path]:
    if path.is_symlink():
        raise IntegrityError(
            f"{path} is a symbolic link; the pack's files are regular files, put the file itself there"
        )
    if path.is_file():
        yield path
    elif path.is_dir():
        for entry in path.iterdir():
            if not entry.name.startswith(".") and entry.name not in _NOT_OURS and entry.suffix.lower() not in _COMPILED:
                yield from _below(entry)
