"""Check the files of a release: the zip around them, the pack, the manifest, and what a release adds to pack and runs."""

from __future__ import annotations

from collections.abc import Iterator

from critnb.canon import CANON
from critnb.params import Release
from critnb.release.build import generated
from critnb.release.contents import run_sources
from critnb.release.metadata import Metadata
from critnb.runs import pack_digests, pack_files
from critnb.runs.decoding import json_value
from critnb.runs.files import read_regular
from critnb.runs.manifest import GENERATED, parse_manifest
from critnb.verify.check import Result, UnpackedRelease

_MANIFEST = CANON.OUTPUT.MANIFEST_SHA256_BASENAME
_RUNNER = "runner.py"


def zip_bytes(release: UnpackedRelease) -> Result:
    """Name every file whose header, checksum or mode in the zip is not that of a release."""
    wrong = [f"{each.name}: {each.problem}" for each in release.files if each.problem]
    size = sum(each.size for each in release.files)
    return Result(wrong, f"{len(release.files)} files, {size / 1e6:.1f} MB, nothing between or behind them")


def pack(release: UnpackedRelease) -> Result:
    """Compare the pack that runs this check with the one in the zip: a difference is no finding, but may cause others."""
    ours = pack_digests(CANON.PACK)
    theirs = {name: release.digests[name] for name in pack_files(CANON.PACK, root=release.folder)}
    apart = sorted(name for name in {*ours, *theirs} - GENERATED if ours.get(name) != theirs.get(name))
    if not apart:
        return Result([], "the pack that checks is that of the zip")
    difference = f"{len(apart)} files differ, such as {apart[0]}; unpack the zip and use its own {_RUNNER} verify"
    return Result([], f"this check is made by another pack than the zip's: {difference}", is_note=True)


def manifest(release: UnpackedRelease) -> Result:
    """Compare every file with the manifest, and the list of files with what a release may hold."""
    if _MANIFEST not in release.digests:
        return Result([f"{_MANIFEST}: is missing"])
    listed = parse_manifest(read_regular(release.folder / _MANIFEST))
    found = {name: digest for name, digest in release.digests.items() if name != _MANIFEST}
    wrong = [
        *(f"{name}: is in the manifest and not in the zip" for name in listed if name not in found),
        *(f"{name}: is in the zip and not in the manifest" for name in found if name not in listed),
        *(f"{name}: changed, its sha256 is not the manifest's" for name in found if listed.get(name) not in (found[name], None)),
        *_strangers(release),
    ]  # fmt: skip
    return Result(wrong, f"{len(listed)} files as listed")


def _strangers(release: UnpackedRelease) -> Iterator[str]:
    """Name each file that is not of the pack, nor of a run that the paper rests on, nor added by the release."""
    ours = {
        *pack_files(CANON.PACK, root=release.folder),
        *(each.name for each in run_sources(release.runs)),
        *GENERATED,
    }
    for name in release.digests:
        if name not in ours:
            yield f"{name}: belongs neither to the pack nor to a run that the paper rests on"


def added(release: UnpackedRelease) -> Result:
    """Make the page of runs and the metadata again from the zip's other files, and compare."""
    files = {each.name: (each.size, each.sha256) for each in release.files if each.name not in GENERATED}
    made = generated(files, release.runs, release.store, _about(release))
    # the manifest has a check of its own
    del made[CANON.OUTPUT.MANIFEST_SHA256_BASENAME]
    wrong = [
        f"{name}: is not what the pack and the runs in the zip give"
        if name in release.digests
        else f"{name}: is missing"
        for name, content in made.items()
        if not (release.folder / name).is_file() or read_regular(release.folder / name) != content
    ]
    return Result(wrong, f"{len(made)} files that the release adds, made again with the same bytes")


def _about(release: UnpackedRelease) -> Metadata:
    """Return the metadata that title and authors, which the publisher chooses, give with the pack in the zip."""
    deposit = json_value(read_regular(release.folder / CANON.OUTPUT.ZENODO_JSON_BASENAME))
    names = [str(each["name"]) for each in deposit["creators"]]
    return Metadata.of(Release(title=str(deposit["title"]), authors=names), release.folder)
