"""Check the chain from the paper to the weights and the text that no run made.

The records hold digests of weights and text; where the content is at hand, it is hashed again.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critnb import data
from critnb.canon import CANON, CODE_ROOT, DatasetRole, ModelRole
from critnb.data import questions
from critnb.data.embedded import weights_directory
from critnb.errors import CritnbError
from critnb.params import Loaded, validate
from critnb.release.chain import disagreements, missing_runs
from critnb.runs import Run
from critnb.verify.check import Result, UnpackedRelease

_EMBEDDED = {"source": "embedded"}
_ORIGIN = "the release"
_KNOWN = "known by its digest, not in the zip"


@dataclass(frozen=True)
class Root:
    """Weights of a role or text of a data role, which no run made: what is wrong with it, and how it was checked."""

    name: str
    findings: tuple[str, ...]
    status: str


def chain(release: UnpackedRelease) -> Result:
    """Follow the records from the paper's run to weights and text, whose content is compared where it is at hand."""
    found = {root.name: root for run in release.runs for root in roots_of(run, release.folder)}
    roots = [found[name] for name in sorted(found)]
    wrong = [
        *missing_runs(release.runs, release.paper.roles),
        *disagreements(release.runs),
        *(finding for root in roots for finding in root.findings),
    ]
    words = "; ".join(f"{root.name} ({root.status})" for root in roots)
    return Result(wrong, f"{len(release.runs)} runs from {release.paper.run_id} to: {words}")


def roots_of(run: Run, folder: Path) -> list[Root]:
    """Return the roots that one run was made from; weights that the pack carries are those of its copy in ``folder``."""
    return [*_weights(run, folder), *_texts(run)]


def config_of(run: Run) -> Mapping[str, Any]:
    """Return the resolved params of a run, with its role and the sources of its model and text."""
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


def _model_files(folder: Path, role: ModelRole, path: str) -> data.ModelFiles:
    tree = {"models": {str(role): {"source": "file", "path": path}}}
    return data.model_files(Loaded(validate(tree, origin=_ORIGIN), _ORIGIN, folder), role)


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
        same = _digest_here(DatasetRole(name), source) == digest
        wrong = f"{CANON.PATH.RUNS_DIR}/{run.run_id}: text of {name} is not what {ours} carries"
        yield Root(label, () if same else (wrong,), "made again")


def _digest_here(role: DatasetRole, source: Mapping[str, Any]) -> str:
    """Return the digest of the text that this Python makes for a source."""
    loaded = Loaded(validate({"data": {str(role): dict(source)}}, origin=_ORIGIN), _ORIGIN, Path())
    found = questions.read(loaded).corpus if role is DatasetRole.ARC_MCQ else data.corpus(loaded, role)
    return found.content_sha256
