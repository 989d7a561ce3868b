from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from kernel import run_all

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.runs import RunStore
from critnb.stages import spec_of


def by_hand(stage: Stage, params: Path, runs: Path, **overrides: Any) -> nbformat.NotebookNode:
    """A stage's notebook with the parameters cell as a person edits it."""
    notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec_of(stage).notebook, as_version=4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source = f"params = {str(params)!r}\noverrides = { ({'runs_dir': str(runs), **overrides})!r}\nrun_dir = None"
    return notebook


@pytest.fixture
def run_by_hand(inputs, tmp_path) -> Callable[..., nbformat.NotebookNode]:
    """Run a stage's notebook from top to bottom in a kernel whose folder is ``notebooks/``, as JupyterLab's is."""

    def run(stage: Stage, runs: Path, *cells: str, **overrides: Any) -> nbformat.NotebookNode:
        notebook = by_hand(stage, inputs / "params.yaml", runs, **overrides)
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
