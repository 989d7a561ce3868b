"""Check the notebooks that runs keep: code, figures and gates are the run's own, their pages are made from them.

A run's id covers what the code cells of its notebook say. Prose and comments may be older than those of the pack.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat

from critnb.canon import CANON
from critnb.contract import spec_of
from critnb.release.contents import run_folder
from critnb.report.notebook import of_run, to_html
from critnb.review.diff.values import listed
from critnb.runs import Run
from critnb.runs.files import read_regular, sha256_hex
from critnb.runs.meaning import cell_digest
from critnb.verify.check import Result, UnpackedRelease

_PARAMETERS, _INJECTED = "parameters", "injected-parameters"
_JUDGES, _FINISHES = "stage.judge(", "stage.finish()"
_HTML, _TEXT, _PNG = "text/html", "text/plain", "image/png"
_EMBEDDED = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
Cell = Mapping[str, Any]


def notebooks(release: UnpackedRelease) -> Result:
    """Hold each run's notebook against the one in the zip that made it, and what it shows against the run.

    Other prose or comments than the pack's are told, and are no finding.
    """
    wrong = [
        f"{run_folder(run.run_id)}/{kept_notebook(run)}: {problem}"
        for run in release.runs
        for problem in _problems(run, release.folder)
    ]
    said = f"{len(release.runs)} notebooks with the cells of the pack and the figures of their runs"
    reworded = [run.run_id for run in release.runs if not wrong and _is_reworded(run, release.folder)]
    return Result(wrong, f"{said}; prose or comments are others in {listed(reworded)}" if reworded else said)


def kept_notebook(run: Run) -> str:
    """Return where a run keeps its notebook."""
    return f"{CANON.RUN_SUBDIR.NOTEBOOK}/{spec_of(run.stage).notebook}"


def page_of(notebook: str) -> str:
    """Return where the page of a notebook lies."""
    return PurePosixPath(notebook).with_suffix(".html").as_posix()


def page(run: Run) -> bytes:
    """Return the page that a run's notebook gives, beside the runs that it rests on."""
    return to_html(_read(run.read_bytes(kept_notebook(run))), of_run(run))


def shows_gates(run: Run, shown: str) -> bool:
    """Tell whether the notebook's gates are shown as ``shown``, and by nothing else."""
    judging = [cell for cell in _code(_cells(run)) if _JUDGES in _source(cell)]
    return [_given(output, _HTML) for cell in judging for output in cell["outputs"]] == [shown]


def _problems(run: Run, folder: Path) -> Iterator[str]:
    cells = _cells(run)
    if _said(cells) != _said(_pack_cells(run, folder)):
        yield "its cells are not those of the pack's notebook"
    if any(output["output_type"] == "error" for cell in _code(cells) for output in cell["outputs"]):
        yield "a cell of it failed"
    shown = set(_pictures(cells))
    drawn = {each.sha256 for path, each in run.artifacts.items() if path.endswith(".png")}
    if shown != drawn:
        yield f"{len(shown - drawn)} of the pictures that it shows are none of the run's, {len(drawn - shown)} are missing"
    if not _ends_as_recorded(run, cells):
        yield "its last line does not say what the record does of the gates"


def _is_reworded(run: Run, folder: Path) -> bool:
    return _texts(_cells(run)) != _texts(_pack_cells(run, folder))


def _pack_cells(run: Run, folder: Path) -> Sequence[Cell]:
    data = read_regular(folder / CANON.PATH.NOTEBOOKS_DIR / spec_of(run.stage).notebook)
    cells: Sequence[Cell] = _read(data)["cells"]
    return cells


def _cells(run: Run) -> Sequence[Cell]:
    cells: Sequence[Cell] = _read(run.read_bytes(kept_notebook(run)))["cells"]
    return cells


def _read(data: bytes) -> Mapping[str, Any]:
    # which does not validate, and so says nothing of a stranger's words
    notebook: Mapping[str, Any] = nbformat.v4.reads(data.decode())
    return notebook


def _code(cells: Sequence[Cell]) -> Iterator[Cell]:
    return (cell for cell in cells if cell["cell_type"] == "code")


def _said(cells: Sequence[Cell]) -> list[str]:
    """Return what each code cell says, but those of the parameters, which are in the resolved params."""
    return [cell_digest(text) for kind, text in _texts(cells) if kind == "code"]


def _texts(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Return kind and text of every cell but those of the parameters."""
    return [
        (cell["cell_type"], _source(cell))
        for cell in cells
        if not {_PARAMETERS, _INJECTED} & {*cell.get("metadata", {}).get("tags", ())}
    ]


def _source(cell: Cell) -> str:
    return str(cell["source"]).replace("\r\n", "\n")


def _given(output: Cell, kind: str) -> str:
    return str(output.get("data", {}).get(kind, ""))


def _pictures(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield the sha256 of every picture in the outputs."""
    for output in (output for cell in _code(cells) for output in cell["outputs"]):
        encoded = [*_EMBEDDED.findall(_given(output, _HTML)), *filter(None, [_given(output, _PNG)])]
        yield from (sha256_hex(base64.b64decode(each)) for each in encoded)


def _ends_as_recorded(run: Run, cells: Sequence[Cell]) -> bool:
    verdicts = [gate["verdict"] for gate in run.record.metrics.get("gates", ())]
    said = f"{verdicts.count('pass')} of {len(verdicts)} gates passed"
    ends = [output for cell in _code(cells) if _FINISHES in _source(cell) for output in cell["outputs"]]
    lines = [_given(output, _TEXT).strip("'\"") for output in ends]
    return [line.startswith(f"{run.run_id}: ") and line.endswith(f", {said}") for line in lines] == [True]
