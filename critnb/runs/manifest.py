"""MANIFEST.sha256: one line per file, in the form that ``sha256sum -c`` reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.errors import IntegrityError
from critnb.runs import Run
from critnb.runs.files import atomic_write, storage

_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\\]+)")
# files of a release that a working copy does not hold, or not with the same bytes
GENERATED = frozenset(
    {
        CANON.OUTPUT.CITATION_CFF_BASENAME,
        CANON.OUTPUT.ZENODO_JSON_BASENAME,
        CANON.OUTPUT.RO_CRATE_JSON_BASENAME,
        CANON.OUTPUT.MANIFEST_SHA256_BASENAME,
        f"{CANON.PATH.RUNS_DIR}/{CANON.OUTPUT.INDEX_HTML_BASENAME}",
    }
)


def manifest_bytes(digests: Mapping[str, str]) -> bytes:
    """Return the manifest of path -> sha256, sorted by path."""
    lines = [f"{digests[path]}  {path}\n" for path in sorted(digests, key=str.encode)]
    return "".join(lines).encode()


def parse_manifest(data: bytes) -> dict[str, str]:
    """Return path -> sha256; raises IntegrityError for bytes that ``manifest_bytes`` would not have made."""
    try:
        lines = [_LINE.fullmatch(line) for line in data.decode("utf-8").splitlines()]
    except UnicodeDecodeError:
        lines = [None]
    digests = {match[2]: match[1] for match in lines if match}
    if manifest_bytes(digests) != data:
        raise IntegrityError(f"{CANON.OUTPUT.MANIFEST_SHA256_BASENAME} is not a sorted list of sha256 and path")
    return digests


def copy_to_root(run: Run, root: Path = PACK_ROOT) -> Path | None:
    """Copy a release's manifest to the root of the pack whose own runs folder holds it, for ``sha256sum -c``.

    Files of the release that the working copy does not hold are left out. Returns the path, or None for a run of
    another stage or in another folder. Raises StorageError.
    """
    if run.stage is not Stage.S08 or run.path.parent != root / CANON.PATH.RUNS_DIR:
        return None
    digests = parse_manifest(run.read_bytes(run.result(CANON.OUTPUT.MANIFEST_SHA256_BASENAME)))
    path = root / CANON.OUTPUT.MANIFEST_SHA256_BASENAME
    with storage(path):
        atomic_write(path, manifest_bytes({name: digest for name, digest in digests.items() if name not in GENERATED}))
    return path
