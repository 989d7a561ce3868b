"""Check a release from scratch: nothing is trusted but the bytes of the zip and this pack's own code."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from critnb.errors import CritnbError
from critnb.release.zip_reader import DamagedError, unpack
from critnb.runs.files import storage
from critnb.runs.scratch import Scratch
from critnb.system.extras import PAPER
from critnb.system.paths import readable_file
from critnb.verify import files, records, references, results
from critnb.verify.chain import chain
from critnb.verify.check import Check, Result, UnpackedRelease
from critnb.verify.notebooks import notebooks

_CHECKS: tuple[tuple[str, Callable[[UnpackedRelease], Result]], ...] = (
    ("zip", files.zip_bytes),
    ("pack", files.pack),
    ("manifest", files.manifest),
    ("records", records.records),
    ("params", records.params),
    ("chain", chain),
    ("facts", records.facts),
    ("code", records.code),
    ("paper", references.references),
    ("added", files.added),
    ("tables", results.tables),
    ("notebooks", notebooks),
    ("figures", references.figures),
)
_RECOMPUTED = ("recomputed", results.recomputed)


def verify_release(path: Path, show: Callable[[Check], object], *, recompute: bool = True) -> list[str]:
    """Return everything that is wrong with a release's zip, one line per finding; ``show`` gets each check as it ends.

    Raises DependencyError where there is no such file, or no typst for what is computed again, StorageError where no room
    is left to unpack it.
    """
    path = readable_file(path)
    if recompute:
        PAPER.require("the check of a release")
    with Scratch() as scratch:
        started, folder = time.monotonic(), scratch / "release"
        try:
            with storage(folder, advice="make room there, or name another folder in TMPDIR"):
                folder.mkdir()
                release = UnpackedRelease(folder, tuple(unpack(path, folder)))
        except DamagedError as error:
            check = Check("zip", Result([f"{path.name}: {error}"]), time.monotonic() - started)
            show(check)
            return list(check.result.findings)
        findings: list[str] = []
        for name, make in (*_CHECKS, _RECOMPUTED) if recompute else _CHECKS:
            check = Check(name, _result(make, release), time.monotonic() - started)
            show(check)
            findings += check.result.findings
            started = time.monotonic()
        return findings


def _result(make: Callable[[UnpackedRelease], Result], release: UnpackedRelease) -> Result:
    try:
        return make(release)
    except CritnbError as error:
        return Result([str(error).replace("\n", "; ")])
    except Exception as error:
        # the content of a stranger's zip may break any code that reads it; that is a finding, not a bug of the pack
        return Result([f"cannot be checked: {type(error).__name__}: {error}"])
