"""Notebooks run cell by cell: by a real kernel, as a front-end runs them, or here, where the kernel is not the point."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from forks import forked_kernels
from nbclient import NotebookClient

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import spec_of

Output = dict[str, Any]
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def run_all(notebook: nbformat.NotebookNode, *, cwd: Path) -> nbformat.NotebookNode:
    """Execute every cell, also behind one that fails, and return the notebook with what the front-end got."""
    client = NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(cwd)}}, allow_errors=True, timeout=120
    )
    with forked_kernels():
        client.execute()
    return notebook


def run_cells(sources: Sequence[str], *, cwd: Path) -> list[list[Output]]:
    """Execute cells of code; returns the outputs of each."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return [cell.outputs for cell in run_all(nbformat.v4.new_notebook(cells=cells), cwd=cwd).cells]


def text(outputs: Sequence[Output]) -> str:
    """What the outputs of a cell say in plain text."""
    said = []
    for output in outputs:
        lines = output.get("text") or output.get("data", {}).get("text/plain") or "\n".join(output["traceback"])
        said.append(_COLOURS.sub("", lines).strip())
    return "\n".join(said)


def by_hand(stage: Stage, params: Path, runs: Path, **overrides: Any) -> nbformat.NotebookNode:
    """A stage's notebook with the parameters cell as a person edits it."""
    notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec_of(stage).notebook, as_version=4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source = f"params = {str(params)!r}\noverrides = { ({'runs_dir': str(runs), **overrides})!r}\nrun_dir = None"
    return notebook


def run_here(stage: Stage, params: Path, runs: Path, **overrides: Any) -> dict[str, Any]:
    """Run a stage's notebook from top to bottom in this process, without a kernel; returns the names that it left.

    Upstream runs have to be there.
    """
    names: dict[str, Any] = {}
    for cell in by_hand(stage, params, runs, **overrides).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
    return names
