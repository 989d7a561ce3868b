"""A chain of runs from weights to paper, made in a moment out of the pack's real code, and releases of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import nbformat
import yaml
from made import MODEL, PARAMS, made

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import STAGES, spec_of
from critnb.contract.code import stage_constants, stage_files
from critnb.params import Release
from critnb.release.build import assemble
from critnb.release.contents import closure
from critnb.release.metadata import Metadata
from critnb.release.zip_writer import Packed, Source, write_zip
from critnb.report.notebook import clean, to_ipynb
from critnb.runs import PartialRun, Run, RunStore, notebook_source

ROLES = ("BASE", "INSTRUCT")
ELSEWHERE = {"source": "file", "path": "weights"}


def made_stage(
    store: RunStore,
    stage: Stage,
    upstream: Sequence[Run],
    more: Mapping[str, object] | None = None,
    source: Mapping[str, str] = ELSEWHERE,
    **words: object,
) -> Run:
    """A run of the pack's own notebook, files and constants; ``source`` says where its model is from."""
    words = {**pack_of(stage), **words}
    role = words.get("role", "BASE")
    about = {"roles": list(words["roles"])} if "roles" in words else {"role": role, "models": {role: source}}
    words.setdefault("config", yaml.safe_dump({**PARAMS, **about}).encode())
    notebook = notebook_source(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec_of(stage).notebook)
    files = {
        "results/numbers.json": {"stage": stage},
        "notebook/n.html": b"<p>" + stage.encode(),
        f"notebook/{spec_of(stage).notebook}": executed,
        **(more or {}),
    }
    return made(store, stage, upstream=upstream, notebook=notebook, files=files, **words)


@cache
def pack_of(stage: Stage) -> Mapping[str, Mapping[str, object]]:
    """The files and constants of the pack that a stage rests on."""
    return {"sources": stage_files(spec_of(stage)), "constants": stage_constants(spec_of(stage))}


def executed(run: PartialRun, gates: str = "") -> bytes:
    """The pack's notebook of a run's stage with what its last cells show: ``gates``, HTML, if any, and how it ended."""
    verdicts = [gate["verdict"] for gate in run.record.metrics.get("gates", [])]
    said = f"{run.run_id}: 2 artifacts written, {verdicts.count('pass')} of {len(verdicts)} gates passed"
    notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec_of(run.stage).notebook, as_version=4)
    for cell in notebook.cells:
        if "stage.judge(" in cell.source:
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/html": gates, "text/plain": "<HTML>"})]
        if "stage.finish()" in cell.source:
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": repr(said)})]
    return to_ipynb(clean(notebook, roots=[]))


def chain(
    store: RunStore,
    roles: Sequence[str] = ROLES,
    leave_out: Sequence[Stage] = (),
    model: Mapping[str, object] = MODEL,
    **words: object,
) -> Run:
    """Every stage up to the paper for every role; returns the paper's run."""
    ends = []
    for role in roles:
        runs: dict[Stage, Run] = {}
        for spec in STAGES:
            if not spec.joins_roles and spec.id not in leave_out:
                upstream = [runs[need] for need in spec.needs if need not in leave_out]
                facts = {"model": {**model, "role": role}} if spec.uses_model else {}
                runs[spec.id] = made_stage(store, spec.id, upstream, role=role, **facts, **words)
        ends += [runs[need] for need in spec_of(Stage.S07).needs if need not in leave_out]
    return made_stage(store, Stage.S07, ends, roles=roles, more=_paper(ends))


def _paper(ends: Sequence[Run]) -> dict[str, object]:
    """Claims and evidence that name a file, a figure and the record of each run that the paper is made from."""
    rows = [
        {
            "run_id": run.run_id,
            "artifact": "results/numbers.json",
            "sha256": run.artifacts["results/numbers.json"].sha256,
        }
        for run in ends
    ]
    records = [
        {"run_id": run.run_id, "artifact": CANON.OUTPUT.RUN_RECORD_JSON, "sha256": run.record.stage_hash}
        for run in ends
    ]
    figures = [
        {"run_id": run.run_id, "files": {"notebook/n.html": run.artifacts["notebook/n.html"].sha256}} for run in ends
    ]
    values = [{"origin": each} for each in (*records, {"run_id": "", "artifact": "", "sha256": ""})]
    return {
        f"results/{CANON.OUTPUT.CLAIMS_JSON_BASENAME}": [{"id": "C1", "roles": {"BASE": {"rows": rows}}}],
        f"results/{CANON.OUTPUT.EVIDENCE_JSON_BASENAME}": {"values": values, "figures": figures},
    }


def cited(store: RunStore, paper: Run) -> list[Run]:
    return closure(store, [paper, *store.runs(Stage.S00)])


def run_of(folder: Path, stage: Stage) -> Run:
    return RunStore(folder / "runs").runs(stage)[0]


def zipped(path: Path, contents: Mapping[str, bytes]) -> Path:
    with path.open("wb") as file:
        write_zip(file, [Packed.of(Source(name, content)) for name, content in contents.items()])
    return path


def release_of(root: Path, path: Path) -> Path:
    """The release of the one paper in a runs folder."""
    store = RunStore(root)
    with path.open("wb") as file:
        assemble(cited(store, store.runs(Stage.S07)[0]), store, Metadata.of(Release())).write(file)
    return path
