"""Check what files of a release name: the paper's claims and numbers other files with their sha256, figures their run."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from critnb.canon import CANON
from critnb.errors import CritnbError
from critnb.release.contents import run_folder
from critnb.runs import Run
from critnb.verify.check import Result, UnpackedRelease

_RUN, _ARTIFACT, _DIGEST, _FILES = "run_id", "artifact", "sha256", "files"
FileReference = tuple[str, str, str]


def references(release: UnpackedRelease) -> Result:
    """Look up each reference of claims.json and evidence.json: the run is in the release and holds the file with that sha256."""
    paper, looked_at = release.paper, set[FileReference]()
    wrong = []
    for basename in (CANON.OUTPUT.CLAIMS_JSON_BASENAME, CANON.OUTPUT.EVIDENCE_JSON_BASENAME):
        path = paper.result(basename)
        found = set(_named(paper.json(path)))
        looked_at |= found
        runs = {run_id: _run(release, run_id) for run_id in {run_id for run_id, _, _ in found}}
        wrong += [
            f"{run_folder(paper.run_id)}/{path}: names {artifact} of {run_id}, {problem}"
            for run_id, artifact, digest in sorted(found)
            if (problem := _problem(runs[run_id], artifact, digest))
        ]
    return Result(wrong, f"{len(looked_at)} files that the paper's claims and numbers name, each there")


def _named(node: Any) -> Iterator[FileReference]:
    """Yield (run, file, sha256) wherever a JSON value names all three; constants name no run."""
    if isinstance(node, Mapping):
        run_id = node.get(_RUN)
        if run_id and _ARTIFACT in node:
            yield str(run_id), str(node[_ARTIFACT]), str(node.get(_DIGEST))
        if run_id and isinstance(node.get(_FILES), Mapping):
            yield from ((str(run_id), str(path), str(digest)) for path, digest in node[_FILES].items())
    values = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    for value in values:
        yield from _named(value)


def _run(release: UnpackedRelease, run_id: str) -> Run | None:
    try:
        return release.store.open(run_id)
    except CritnbError:
        return None


def _problem(run: Run | None, artifact: str, digest: str) -> str:
    if run is None:
        return "which is not in the release"
    if artifact == CANON.OUTPUT.RUN_RECORD_JSON:
        return "" if run.record.stage_hash == digest else "whose stage hash is another"
    if artifact not in run.artifacts:
        return "which has no such file"
    return "" if run.artifacts[artifact].sha256 == digest else "which holds another file under that name"


def figures(release: UnpackedRelease) -> Result:
    """Compare the metadata of each figure with the run that holds it."""
    wrong, looked_at = [], 0
    for run in release.runs:
        for path in run.artifacts:
            if PurePosixPath(path).is_relative_to(CANON.RUN_SUBDIR.FIGS):
                looked_at += 1
                wrong += [
                    f"{run_folder(run.run_id)}/{path}: its metadata does not name {each}"
                    for each in _unnamed(run, path)
                ]
    return Result(wrong, f"{looked_at} figures that name their run")


def _unnamed(run: Run, path: str) -> Iterator[str]:
    """Yield which of title, run id and config hash the metadata of a figure does not name."""
    place = PurePosixPath(path)
    wanted = {"Title": place.stem, "run_id": run.run_id, "config_hash": str(run.record.config_hash)}
    data = run.read_bytes(path)
    match place.suffix:
        case ".png":
            found = _png_texts(data)
            yield from (value for key, value in wanted.items() if found.get(key) != value)
        case ".pdf":
            # text that is not ASCII makes a PDF write the whole of it as UTF-16
            yield from (
                value
                for value in wanted.values()
                if value.encode() not in data and value.encode("utf-16-be") not in data
            )


def _png_texts(png: bytes) -> dict[str, str]:
    # brought along by matplotlib, which nothing else of a check needs
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return {str(key): str(value) for key, value in image.info.items()}
