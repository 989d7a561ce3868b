"""Checks of a release's files: the zip around them, the manifest, what may be there, and each run against its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from critnb.canon import CANON, PACK_ROOT, REGISTRY_FILE
from critnb.compare.values import listed
from critnb.release.contents import file_digests, other_code
from critnb.release.finding import Result
from critnb.release.manifest import GENERATED, from_text
from critnb.release.opened import Opened
from critnb.runs import pack_digests, verify
from critnb.runs.files import read_regular

_MANIFEST = CANON.OUTPUT.MANIFEST_SHA256_BASENAME
_CODE = "critnb"
_REGISTRY = REGISTRY_FILE.relative_to(PACK_ROOT).as_posix()


def zip_bytes(release: Opened) -> Result:
    """Name every file whose surroundings in the zip are not what a release has."""
    wrong = [f"{each.name}: {each.problem}" for each in release.unpacked if each.problem]
    size = sum(each.size for each in release.unpacked)
    return Result(wrong, f"{len(release.unpacked)} files, {size / 1e6:.1f} MB, nothing between or behind them")


def manifest(release: Opened) -> Result:
    """Hold every file against the manifest, and the list of files against what a release may hold."""
    if _MANIFEST not in release.digests:
        return Result([f"{_MANIFEST}: is missing"])
    listed = from_text(read_regular(release.folder / _MANIFEST))
    found = {name: digest for name, digest in release.digests.items() if name != _MANIFEST}
    wrong = [
        *(f"{name}: is in the manifest and not in the zip" for name in listed if name not in found),
        *(f"{name}: is in the zip and not in the manifest" for name in found if name not in listed),
        *(f"{name}: changed, its sha256 is not the manifest's" for name in found if listed.get(name) not in (found[name], None)),
        *_strangers(release),
    ]  # fmt: skip
    return Result(wrong, f"{len(listed)} files as listed")


def _strangers(release: Opened) -> Iterator[str]:
    """Name what belongs neither to the pack, nor to the runs that the paper rests on, nor to what a release adds."""
    runs = {f"{CANON.PATH.RUNS_DIR}/{run.run_id}" for run in release.runs}
    for name in release.digests:
        top = name.partition("/")[0]
        inside = "/".join(name.split("/")[:2]) in runs if top == CANON.PATH.RUNS_DIR else top in CANON.PACK
        if not inside and name not in GENERATED:
            yield f"{name}: belongs neither to the pack nor to a run that the paper rests on"


def records(release: Opened) -> Result:
    """Hold every run against its record, and every record against those of its upstream runs."""
    wrong = []
    for run_id in release.store.ids():
        findings = verify(release.store.path(run_id))
        wrong += [f"{CANON.PATH.RUNS_DIR}/{run_id}/{each.path}: {each.kind}, {each.message}" for each in findings]
    return Result(wrong, f"{len(release.store.ids())} runs, each file and record as recorded")


def code(release: Opened) -> Result:
    """Hold the code and the constants that each run says it was made from against those in the release."""
    digests, constants = file_digests(release.folder), _constants(release)
    runs_by_path: dict[str, list[str]] = {}
    for run in release.runs:
        for path in other_code(run, digests, release.folder):
            runs_by_path.setdefault(path, []).append(run.run_id)
        recorded = run.inputs.sections.get("constants", {})
        if any(constants.get(name) != value for name, value in recorded.items()):
            runs_by_path.setdefault(_REGISTRY, []).append(run.run_id)
    wrong = [f"{path}: is not the file that {listed(run_ids)} came from" for path, run_ids in runs_by_path.items()]
    return Result(wrong, f"every run was made from the code that is in the zip{_own_code(release)}")


def _constants(release: Opened) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(read_regular(release.folder / _REGISTRY))["CONST"]
    return found


def _own_code(release: Opened) -> str:
    """Say in how many files the pack that checks differs from the one that is checked."""
    ours = pack_digests([_CODE])
    theirs = {name: digest for name, digest in release.digests.items() if name.startswith(f"{_CODE}/")}
    apart = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    return f"; the pack that checks differs from it in {len(apart)} files" if apart else ""
