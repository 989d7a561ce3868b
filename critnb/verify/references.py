"""Check what the paper points at: every file that its claims and numbers name is in the release, with that sha256."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from critnb.canon import CANON
from critnb.errors import CritnbError
from critnb.release.contents import run_folder
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.runs import Run

_RUN, _ARTIFACT, _DIGEST, _FILES = "run_id", "artifact", "sha256", "files"
Reference = tuple[str, str, str]


def references(release: Opened) -> Result:
    """Look up each reference of claims.json and evidence.json; a run that is there and does not hold the file is named too."""
    paper, looked_at = release.paper, set[Reference]()
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


def _named(node: Any) -> Iterator[Reference]:
    """Yield (run, file, sha256) wherever a JSON value names them together; constants name no run."""
    if isinstance(node, Mapping):
        run_id = node.get(_RUN)
        if run_id and _ARTIFACT in node:
            yield str(run_id), str(node[_ARTIFACT]), str(node.get(_DIGEST))
        if run_id and isinstance(node.get(_FILES), Mapping):
            yield from ((str(run_id), str(path), str(digest)) for path, digest in node[_FILES].items())
    values = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    for value in values:
        yield from _named(value)


def _run(release: Opened, run_id: str) -> Run | None:
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
