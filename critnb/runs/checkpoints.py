"""Checkpoints: arrays that a long stage saves, so that it continues where it was killed.

One file per checkpoint: the SHA-256 of the rest on the first line, then an NPZ. A damaged file counts as none.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from critnb.canon import CANON
from critnb.errors import DataError
from critnb.runs.decoding import npz_arrays
from critnb.runs.encoding import npz_bytes
from critnb.runs.files import TEMPORARY_SUFFIX, atomic_write, read_regular, sha256_hex

if TYPE_CHECKING:
    import numpy as np

_LOG = logging.getLogger(__name__)
_SUFFIX = ".ckpt"


def save_checkpoint(run: Path, name: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write the arrays, replacing an earlier checkpoint of that name; raises OSError, DataError for object arrays."""
    data = npz_bytes(arrays, compress=False)
    path = _path(run, name)
    path.parent.mkdir(exist_ok=True)
    atomic_write(path, sha256_hex(data).encode("ascii") + b"\n" + data)


def load_checkpoint(run: Path, name: str) -> dict[str, np.ndarray[Any, Any]] | None:
    """Return the arrays of a checkpoint, or None where there is none or its bytes are not those that were saved."""
    path = _path(run, name)
    try:
        digest, _, data = read_regular(path).partition(b"\n")
    except FileNotFoundError:
        return None
    try:
        if digest.decode("ascii", errors="replace") == sha256_hex(data):
            return npz_arrays(data)
    except DataError:
        pass
    _LOG.warning("checkpoint %s is damaged; its step is done again", path)
    return None


def has_checkpoints(run: Path) -> bool:
    """Whether any checkpoint lies in the run, damaged or not."""
    return any((run / CANON.RUN_SUBDIR.CHECKPOINTS).glob(f"*{_SUFFIX}"))


def sweep_checkpoints(run: Path) -> None:
    """Remove the temporary files that killed writers left beside the checkpoints; raises OSError."""
    for stray in (run / CANON.RUN_SUBDIR.CHECKPOINTS).glob(f".*{TEMPORARY_SUFFIX}"):
        stray.unlink()


def _path(run: Path, name: str) -> Path:
    if re.fullmatch(r"\w[\w.+-]*", name, re.ASCII) is None:
        raise ValueError(f"checkpoint name {name!r}: letters, digits and _ . + - only")
    return run / CANON.RUN_SUBDIR.CHECKPOINTS / f"{name}{_SUFFIX}"
