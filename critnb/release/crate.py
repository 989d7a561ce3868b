"""ro-crate-metadata.json: the release as linked data, each run an action with its instrument, objects and results.

RO-Crate 1.1 with the profiles Process Run Crate 0.5, Workflow Run Crate 0.5 and Workflow RO-Crate 1.0. The workflow is
runner.py; one action tells of the whole, from params to paper, and one of each run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from critnb.canon import CANON, Stage
from critnb.contract import spec_of
from critnb.release.contents import run_folder
from critnb.release.metadata import Metadata
from critnb.runs import Run
from critnb.runs.encoding import json_bytes
from critnb.runs.partial import media_type

_RUNNER = "runner.py"
_CRATE = "https://w3id.org/ro/crate/1.1"
_CONTEXT = [f"{_CRATE}/context", "https://w3id.org/ro/terms/workflow-run/context"]
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    _WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
_PYTHON = "#python"
_LICENCES = "https://spdx.org/licenses"
Node = dict[str, Any]
Files = Mapping[str, tuple[int, str]]


def crate_json(about: Metadata, date: str, files: Files, runs: Sequence[Run]) -> bytes:
    """Return the crate of a release's files, path -> (bytes, sha256), without itself and the manifest."""
    loose, held = _placed(files, runs)
    graph = [
        {
            "@id": CANON.OUTPUT.RO_CRATE_JSON_BASENAME,
            "@type": "CreativeWork",
            "about": _ref("./"),
            "conformsTo": [_ref(_CRATE), _ref(_WORKFLOW_CRATE)],
        },
        _root(about, date, loose, runs),
        *_context(about),
        *(_folder(run, held[run_folder(run.run_id)]) for run in runs),
        *(_file(path, size, digest, about) for path, (size, digest) in sorted(files.items())),
        _whole(runs),
        *(_action(run) for run in runs),
    ]
    return json_bytes({"@context": _CONTEXT, "@graph": graph})


def _placed(files: Files, runs: Sequence[Run]) -> tuple[list[str], Mapping[str, list[str]]]:
    """Return the files that lie in no run, and those of each run by its folder, sorted."""
    loose: list[str] = []
    held: dict[str, list[str]] = {run_folder(run.run_id): [] for run in runs}
    for path in sorted(files):
        held.get("/".join(path.split("/")[:2]), loose).append(path)
    return loose, held


def _ref(name: str) -> Node:
    return {"@id": name}


def _run_id(run_id: str) -> str:
    return f"{run_folder(run_id)}/"


def _root(about: Metadata, date: str, loose: Sequence[str], runs: Sequence[Run]) -> Node:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": about.title,
        "description": about.description,
        "version": about.version,
        "datePublished": date,
        "license": _ref(_licence_id(about)),
        "creator": [_ref(_author_id(place)) for place in range(len(about.authors))],
        "conformsTo": [_ref(profile) for profile in _PROFILES],
        "mainEntity": _ref(_RUNNER),
        "mentions": [_ref("#whole"), *(_ref(f"#{run.run_id}") for run in runs)],
        "hasPart": [*map(_ref, loose), *(_ref(_run_id(run.run_id)) for run in runs)],
    }


def _licence_id(about: Metadata) -> str:
    return f"{_LICENCES}/{about.licence}"


def _author_id(place: int) -> str:
    return f"#author-{place + 1}"


def _context(about: Metadata) -> Iterator[Node]:
    for profile, (name, version) in _PROFILES.items():
        yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
    yield {
        "@id": _licence_id(about),
        "@type": "CreativeWork",
        "name": about.licence,
        "description": "The licence of the pack; its text is in LICENSE, what it does not cover in NOTICE.",
    }
    yield {"@id": _PYTHON, "@type": "ComputerLanguage", "name": "Python", "url": "https://www.python.org"}
    for place, name in enumerate(about.authors):
        kind = "Person" if "," in name else "Organization"
        yield {"@id": _author_id(place), "@type": kind, "name": name}


def _folder(run: Run, held: Sequence[str]) -> Node:
    return {
        "@id": _run_id(run.run_id),
        "@type": "Dataset",
        "name": f"{run.run_id}: {spec_of(run.stage).asks}",
        "hasPart": [*map(_ref, held)],
    }


def _file(path: str, size: int, digest: str, about: Metadata) -> Node:
    node: Node = {
        "@id": path,
        "@type": "File",
        "name": PurePosixPath(path).name,
        "contentSize": str(size),
        "encodingFormat": media_type(path),
        "sha256": digest,
    }
    if path == _RUNNER:
        node |= {"@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"], "version": about.version}
        node |= {"programmingLanguage": _ref(_PYTHON), "name": about.title}
    elif path.startswith(f"{CANON.PATH.NOTEBOOKS_DIR}/"):
        node |= {"@type": ["File", "SoftwareSourceCode"], "programmingLanguage": _ref(_PYTHON)}
    return node


def _whole(runs: Sequence[Run]) -> Node:
    """The execution of the workflow: from what no run of the release made to what no other run used."""
    records = [run.record for run in runs]
    used = {dependency.run_id for record in records for dependency in record.dependencies}
    first = [run for run in runs if not run.record.dependencies]
    last = [run for run in runs if run.run_id not in used and run.stage is not Stage.S00]
    return {
        "@id": "#whole",
        "@type": "CreateAction",
        "name": f"All {len(runs)} runs, from text and weights to the paper",
        "instrument": _ref(_RUNNER),
        "startTime": min(record.created_utc for record in records),
        "endTime": max(str(record.finished_utc) for record in records),
        "actionStatus": _ref("http://schema.org/CompletedActionStatus"),
        "object": [_ref(_config(run)) for run in first],
        "result": [_ref(_run_id(run.run_id)) for run in last],
    }


def _config(run: Run) -> str:
    return f"{run_folder(run.run_id)}/{CANON.OUTPUT.CONFIG_RESOLVED_YAML}"


def _action(run: Run) -> Node:
    record, folder = run.record, run_folder(run.run_id)
    made = [path for path in sorted(run.artifacts) if path != CANON.OUTPUT.CONFIG_RESOLVED_YAML]
    return {
        "@id": f"#{run.run_id}",
        "@type": "CreateAction",
        "name": f"{run.stage} {' + '.join(run.roles)}: {spec_of(run.stage).asks}",
        "description": " ".join(record.command),
        "instrument": _ref(f"{CANON.PATH.NOTEBOOKS_DIR}/{spec_of(run.stage).notebook}"),
        "startTime": record.created_utc,
        "endTime": record.finished_utc,
        "actionStatus": _ref("http://schema.org/CompletedActionStatus"),
        "object": [_ref(_config(run)), *(_ref(_run_id(each.run_id)) for each in record.dependencies)],
        "result": [_ref(f"{folder}/{path}") for path in made],
    }
