"""Check what a release adds to pack and runs: it follows from them, from a title and from authors, so it is made again."""

from __future__ import annotations

from critnb.canon import CANON
from critnb.params import Release
from critnb.release.build import generated
from critnb.release.finding import Result
from critnb.release.metadata import Metadata
from critnb.release.opened import Opened
from critnb.runs.decoding import json_value
from critnb.runs.files import read_regular
from critnb.runs.manifest import GENERATED


def made_again(release: Opened) -> Result:
    """Hold the page of runs and the metadata against those that the zip's other files give."""
    files = {each.name: (each.size, each.sha256) for each in release.unpacked if each.name not in GENERATED}
    made = generated(files, release.runs, release.store, _about(release))
    # which files a manifest leaves out or adds is for the check of manifests to say
    del made[CANON.OUTPUT.MANIFEST_SHA256_BASENAME]
    wrong = [
        f"{name}: is not what the pack and the runs in the zip give"
        if name in release.digests
        else f"{name}: is missing"
        for name, content in made.items()
        if not (release.folder / name).is_file() or read_regular(release.folder / name) != content
    ]
    return Result(wrong, f"{len(made)} files that the release adds, made again with the same bytes")


def _about(release: Opened) -> Metadata:
    """Title and authors are the publisher's to choose; all else the pack gives."""
    said = json_value(read_regular(release.folder / CANON.OUTPUT.ZENODO_JSON_BASENAME))
    names = [str(each["name"]) for each in said["creators"]]
    return Metadata.of(Release(title=str(said["title"]), authors=names), release.folder)
