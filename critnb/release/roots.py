"""What no run made: weights and text. Their digests stand in the records; where the content is at hand it is hashed again."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critnb import data as sources
from critnb.canon import CANON, CODE_ROOT, DatasetRole, ModelRole
from critnb.data import questions
from critnb.data.embedded import weights_directory
from critnb.errors import CritnbError
from critnb.params import Loaded, validate
from critnb.release.opened import Opened
from critnb.runs import Run

_EMBEDDED = {"source": "embedded"}
_ORIGIN = "the release"
_KNOWN = "known by its digest, not in the zip"


@dataclass(frozen=True)
class Root:
    """Weights of a role or text of a data role: what is wrong with it, and how it was looked at."""

    name: str
    findings: tuple[str, ...]
    said: str


def of(release: Opened) -> list[Root]:
    """Return every root of the release's runs once."""
    found = {root.name: root for run in release.runs for root in of_run(run, release.folder)}
    return [found[name] for name in sorted(found)]


def of_run(run: Run, folder: Path) -> list[Root]:
    """Return the roots that one run was made from; weights that the pack carries are those in its copy at ``folder``."""
    return [*_weights(run, folder), *_texts(run)]


def config_of(run: Run) -> Mapping[str, Any]:
    """Return the resolved params of a run, with its role, and the sources of its model and text."""
    found: Mapping[str, Any] = run.yaml(CANON.OUTPUT.CONFIG_RESOLVED_YAML)
    return found


def _weights(run: Run, root: Path) -> Iterator[Root]:
    for name, source in config_of(run).get("models", {}).items():
        role, digest = ModelRole(name), run.inputs.sections["model"]["weights_sha256"][:12]
        label = f"weights of {role} {digest}"
        if source != _EMBEDDED:
            yield Root(label, (), _KNOWN)
            continue
        folder = weights_directory(role).relative_to(CODE_ROOT).as_posix()
        try:
            carried = _model_files(root, role, folder).identity()
        except CritnbError as error:
            yield Root(label, (f"{folder}: {str(error).splitlines()[0]}",), "not readable")
            continue
        wrong = [key for key, value in run.inputs.sections["model"].items() if carried.get(key) != value]
        findings = tuple(f"{folder}: {key} is not what {run.run_id} was made from" for key in wrong)
        yield Root(label, findings, "hashed again")


def _model_files(folder: Path, role: ModelRole, path: str) -> sources.ModelFiles:
    tree = {"models": {str(role): {"source": "file", "path": path}}}
    return sources.model_files(Loaded(validate(tree, origin=_ORIGIN), _ORIGIN, folder), role)


def _texts(run: Run) -> Iterator[Root]:
    for name, source in config_of(run).get("data", {}).items():
        digest = run.inputs.sections["data"][name]["content_sha256"]
        label = f"text of {name} {digest[:12]}"
        if source["source"] != _EMBEDDED["source"]:
            yield Root(label, (), _KNOWN)
            continue
        made_with = {facts["revision"] for facts in run.record.datasets.values()}
        ours = f"python-{platform.python_version()}"
        if made_with and made_with != {ours}:
            yield Root(label, (), f"of {', '.join(sorted(made_with))}, which this {ours} does not carry")
            continue
        same = _made_again(DatasetRole(name), source) == digest
        wrong = f"{CANON.PATH.RUNS_DIR}/{run.run_id}: text of {name} is not what {ours} carries"
        yield Root(label, () if same else (wrong,), "made again")


def _made_again(role: DatasetRole, source: Mapping[str, Any]) -> str:
    loaded = Loaded(validate({"data": {str(role): dict(source)}}, origin=_ORIGIN), _ORIGIN, Path())
    found = questions.read(loaded).corpus if role is DatasetRole.ARC_MCQ else sources.corpus(loaded, role)
    return found.content_sha256
