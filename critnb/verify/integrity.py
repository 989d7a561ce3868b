"""Checks of a release's files: the zip around them, the manifest, what may be there, and each run against its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from critnb.canon import CANON, PACK_ROOT, REGISTRY_FILE
from critnb.contract import spec_of
from critnb.contract.code import changed_code, stage_code
from critnb.release.contents import run_folder, run_sources
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.release.roots import config_of
from critnb.review.diff.values import listed
from critnb.runs import Run, pack_digests, pack_files, verify
from critnb.runs.decoding import yaml_value
from critnb.runs.files import read_regular
from critnb.runs.manifest import GENERATED, from_text

_MANIFEST = CANON.OUTPUT.MANIFEST_SHA256_BASENAME
_RUNNER = "runner.py"
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
    ours = {
        *pack_files(CANON.PACK, root=release.folder),
        *(each.name for each in run_sources(release.runs)),
        *GENERATED,
    }
    for name in release.digests:
        if name not in ours:
            yield f"{name}: belongs neither to the pack nor to a run that the paper rests on"


def records(release: Opened) -> Result:
    """Hold every run against its record, and every record against those of its upstream runs."""
    wrong = []
    for run_id in release.store.ids():
        findings = verify(release.store.path(run_id))
        wrong += [f"{CANON.PATH.RUNS_DIR}/{run_id}/{each.path}: {each.kind}, {each.message}" for each in findings]
    return Result(wrong, f"{len(release.store.ids())} runs, each file and record as recorded")


def params(release: Opened) -> Result:
    """Hold the params that each run shows against those that its id was made from."""
    config = CANON.OUTPUT.CONFIG_RESOLVED_YAML
    wrong = [
        f"{run_folder(run.run_id)}/{config}: is not what the run's id was made from"
        for run in release.runs
        if not _same_params(run)
    ]
    return Result(wrong, f"{len(release.runs)} runs show the params that their ids were made from")


def _same_params(run: Run) -> bool:
    config, sections = dict(config_of(run)), run.inputs.sections
    about = {key: config.pop(key) for key in ("role", "roles") if key in config}
    models, data = config.pop("models", {}), config.pop("data", {})
    return (
        config == sections["params"]
        and about == {key: sections[key] for key in ("role", "roles") if key in sections}
        and sorted(models) == (sorted(run.roles) if "model" in sections else [])
        and sorted(data) == sorted(sections.get("data", {}))
    )


def code(release: Opened) -> Result:
    """Hold the code and the constants that each run says it was made from against those in the release."""
    constants = _constants(release)
    runs_by_path: dict[str, list[str]] = {}
    for run in release.runs:
        spec = spec_of(run.stage)
        for path in changed_code(spec, run.inputs, root=release.folder):
            runs_by_path.setdefault(path, []).append(run.run_id)
        if not (release.folder / CANON.PATH.NOTEBOOKS_DIR / spec.notebook).is_file():
            continue
        named = stage_code(spec, root=release.folder).constants
        if run.inputs.sections.get("constants") != {name: constants.get(name) for name in named}:
            runs_by_path.setdefault(_REGISTRY, []).append(run.run_id)
    wrong = [f"{path}: is not what {listed(run_ids)} came from" for path, run_ids in runs_by_path.items()]
    return Result(wrong, "every run was made from the code that is in the zip")


def _constants(release: Opened) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml_value(read_regular(release.folder / _REGISTRY))["CONST"]
    return found


def pack(release: Opened) -> Result:
    """Hold the pack that checks against the one in the zip: no finding, but what makes others likely."""
    ours = pack_digests(CANON.PACK)
    theirs = {name: release.digests[name] for name in pack_files(CANON.PACK, root=release.folder)}
    apart = sorted(name for name in {*ours, *theirs} - GENERATED if ours.get(name) != theirs.get(name))
    if not apart:
        return Result([], "the pack that checks is that of the zip")
    said = f"{len(apart)} files differ, such as {apart[0]}; unpack the zip and use its own {_RUNNER} verify"
    return Result([], f"this check is made by another pack than the zip's: {said}", aside=True)
