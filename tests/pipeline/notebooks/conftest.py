from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from kernel import by_hand, run_all

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.runs import RunStore


@pytest.fixture
def run_by_hand(inputs, tmp_path) -> Callable[..., nbformat.NotebookNode]:
    """Run a stage's notebook from top to bottom in a kernel whose folder is ``notebooks/``, as JupyterLab's is.

    Cells of one's own stand behind its last cell, and ``before`` in front of it.
    """

    def run(stage: Stage, runs: Path, *cells: str, before: str = "", **overrides: Any) -> nbformat.NotebookNode:
        notebook = by_hand(stage, inputs / "params.yaml", runs, **overrides)
        if before:
            notebook.cells.insert(-1, nbformat.v4.new_code_cell(before))
        notebook.cells += [nbformat.v4.new_code_cell(source) for source in cells]
        return run_all(notebook, cwd=PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR)

    return run


@pytest.fixture
def lacking(whole, tmp_path) -> Callable[..., Path]:
    """A copy of the whole runs folder that lacks the runs of some stages."""

    def copy(*stages: Stage) -> Path:
        runs = tmp_path / "runs"
        shutil.copytree(whole, runs)
        for stage in stages:
            for run in RunStore(runs).runs(stage):
                shutil.rmtree(run.path)
        return runs

    return copy
