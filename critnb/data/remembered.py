"""Digests of large files that were read before on this machine, by what the file system says of them.

A run's id rests on the content of weights, which may be tens of gigabytes: a file that still has the inode, size and times that it
had when it was hashed is not read again. A check of a release or of a run never asks here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path

from critnb.runs.files import atomic_write

# below, a file is read in a blink
_LEAST_BYTES = 2**26
# a file that was changed just now may be changed again without another time: the clock of a file system is coarse
_SETTLED_SECONDS = 5.0
_MOST_FILES = 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, read now; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_digest(path: Path) -> str:
    """Return the sha256 of a file, of a large one as it was found before where it has not been touched since; raises OSError."""
    before = path.stat()
    if before.st_size < _LEAST_BYTES:
        return file_digest(path)
    key, kept = _key(before), _kept()
    if key in kept:
        return kept[key]
    digest = file_digest(path)
    settled = time.time() - max(before.st_mtime, before.st_ctime) > _SETTLED_SECONDS
    if settled and _key(path.stat()) == key:
        # read again: another process may have added to it while this one was hashing
        _keep({**_kept(), key: digest})
    return digest


def _key(status: os.stat_result) -> str:
    """Return what tells a file at a time from all others: a change of content changes a time, whatever its size."""
    where = (platform.node(), status.st_dev, status.st_ino)
    return ":".join(map(str, (*where, status.st_size, status.st_mtime_ns, status.st_ctime_ns)))


def _kept() -> dict[str, str]:
    try:
        found = json.loads(_place().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    # whatever else may be written there by hand or by another version is not there
    return {key: each for key, each in found.items() if _is_digest(each)} if isinstance(found, dict) else {}


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _keep(digests: Mapping[str, str]) -> None:
    newest = dict(list(digests.items())[-_MOST_FILES:])
    # a home that may not be written is no reason for a stage to fail
    with contextlib.suppress(OSError):
        _place().parent.mkdir(parents=True, exist_ok=True)
        atomic_write(_place(), json.dumps(newest, indent=1).encode())


def _place() -> Path:
    # not imported above: only large models need it
    from platformdirs import user_cache_path

    return user_cache_path("critnb", appauthor=False) / "weights.json"
