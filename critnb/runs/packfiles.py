"""The files of the pack itself: which they are in a clone, an unzipped release or a working copy full of caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from critnb.canon import PACK_ROOT
from critnb.errors import IntegrityError
from critnb.runs.files import sha256_file

_CACHE = "__pycache__"
# Python imports these before, or in place of, the source of the same name
_COMPILED = frozenset({".pyc", ".pyo", ".so", ".pyd"})


def pack_files(names: Sequence[str], *, root: Path = PACK_ROOT) -> dict[str, Path]:
    """Return POSIX path -> file for the named files and everything below the named folders of the pack, sorted by path.

    Hidden files, caches and compiled code inside a folder are left out, so that a clone and a working copy list the same;
    a hidden file that is named itself is in. A name that is not there is left out too. Raises IntegrityError for a symbolic link.
    """
    found = {path.relative_to(root).as_posix(): path for name in names for path in _below(root / name)}
    return dict(sorted(found.items()))


def pack_digests(names: Sequence[str], *, root: Path = PACK_ROOT) -> dict[str, str]:
    """Return POSIX path -> sha256 of the bytes of the files that ``pack_files`` lists; raises its errors and OSError."""
    return {name: sha256_file(path)[0] for name, path in pack_files(names, root=root).items()}


def _below(path: Path) -> Iterator[Path]:
    if path.is_symlink():
        raise IntegrityError(
            f"{path} is a symbolic link; the pack's files are regular files, put the file itself there"
        )
    if path.is_file():
        yield path
    elif path.is_dir():
        for entry in path.iterdir():
            if not entry.name.startswith(".") and entry.name != _CACHE and entry.suffix.lower() not in _COMPILED:
                yield from _below(entry)
