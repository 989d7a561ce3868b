"""Check a release from scratch: nothing is believed but the bytes of the zip and this pack's own code."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from critnb.errors import CritnbError
from critnb.release.chain import chain
from critnb.release.finding import Check, Result
from critnb.release.opened import Opened
from critnb.release.reading import DamagedError, unpack
from critnb.runs.files import storage
from critnb.runs.scratch import Scratch
from critnb.system.paths import readable_file
from critnb.verify import integrity, tables
from critnb.verify.facts import facts
from critnb.verify.figures import figures
from critnb.verify.notebooks import notebooks
from critnb.verify.rebuilt import made_again
from critnb.verify.references import references

_CHECKS: tuple[tuple[str, Callable[[Opened], Result]], ...] = (
    ("zip", integrity.zip_bytes),
    ("pack", integrity.pack),
    ("manifest", integrity.manifest),
    ("records", integrity.records),
    ("params", integrity.params),
    ("chain", chain),
    ("facts", facts),
    ("code", integrity.code),
    ("paper", references),
    ("added", made_again),
    ("tables", tables.same_rows),
    ("notebooks", notebooks),
    ("figures", figures),
)
_RECOMPUTED = ("recomputed", tables.recomputed)


def verify_release(path: Path, show: Callable[[Check], object], *, recompute: bool = True) -> list[str]:
    """Return everything that is wrong with a release's zip, a line each; ``show`` gets each check as it ends.

    Raises DependencyError where there is no such file, StorageError where no room is left to unpack it.
    """
    path = readable_file(path)
    with Scratch() as scratch:
        started, folder = time.monotonic(), scratch / "release"
        try:
            with storage(folder, advice="make room there, or name another folder in TMPDIR"):
                folder.mkdir()
                release = Opened(folder, tuple(unpack(path, folder)))
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


def _result(make: Callable[[Opened], Result], release: Opened) -> Result:
    try:
        return make(release)
    except CritnbError as error:
        return Result([str(error).replace("\n", "; ")])
    except Exception as error:
        # what strangers put into a zip may break any code that reads it, and is a finding, not a mistake of ours
        return Result([f"cannot be checked: {type(error).__name__}: {error}"])
