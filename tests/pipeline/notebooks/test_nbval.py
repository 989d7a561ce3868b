"""nbval runs every notebook again, by hand and from the top: no cell fails, marked cells show what the run kept, and the
artifacts come out as they are.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import forks
import nbformat
import pytest

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import STAGES, spec_of
from critnb.runs import RunStore

MARK = "nbval-check-output"
OF_STAGES = [spec.notebook for spec in STAGES]
OTHERS = sorted({path.name for path in (PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR).glob("*.ipynb")} - {*OF_STAGES})
SPOILT = "spoilt.ipynb"
SAME = "assert 'came out the same byte for byte' in stage.finish()"
Outcomes = dict[str, list[bool]]


def marked(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if MARK in cell.metadata.get("tags", ())]


def reference(run: Path, name: str, params: Path) -> nbformat.NotebookNode:
    """The notebook that a run keeps, to be run by hand on the same params and runs."""
    notebook = nbformat.read(run / CANON.RUN_SUBDIR.NOTEBOOK / name, as_version=4)
    cell = next(cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", ()))
    overrides = {"runs_dir": str(run.parent)}
    cell.source = f"params = {str(params)!r}\noverrides = {overrides!r}\nrun_dir = None"
    notebook.cells.append(nbformat.v4.new_code_cell(SAME))
    return notebook


def on_runs(name: str, runs: Path) -> nbformat.NotebookNode:
    """A notebook that makes no run, as it stands, on the given runs."""
    notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / name, as_version=4)
    place = next(n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(f"runs = {str(runs)!r}"))
    return notebook


@pytest.fixture(scope="module")
def outcomes(whole, inputs, tmp_path_factory) -> Outcomes:
    """Whether each code cell of each notebook went as it should."""
    folder, copy = tmp_path_factory.mktemp("nbval"), tmp_path_factory.mktemp("copy") / "runs"
    shutil.copytree(whole, copy)
    runs = {spec_of(run.stage).notebook: run.path for spec in STAGES for run in RunStore(copy).runs(spec.id)}
    for name, run in runs.items():
        nbformat.write(reference(run, name, inputs / "params.yaml"), folder / name)
    for name in OTHERS:
        nbformat.write(on_runs(name, copy), folder / name)
    spoilt = reference(runs[spec_of(Stage.S02B).notebook], spec_of(Stage.S02B).notebook, inputs / "params.yaml")
    marked(spoilt)[0].outputs[0].data["text/html"] += " "
    nbformat.write(spoilt, folder / SPOILT)
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
    environment = {**os.environ, "PYTHONPATH": str(PACK_ROOT)}
    done = forks.python(*command, "--junitxml=outcomes.xml", ".", cwd=folder, env=environment)
    found: Outcomes = {}
    for case in ElementTree.parse(folder / "outcomes.xml").iter("testcase"):
        found.setdefault(str(case.get("classname")), []).append(not len(case))
    assert set(found) == {*runs, *OTHERS, SPOILT}, done.stdout
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_STAGES)
def test_a_stage_run_again_by_hand_shows_and_makes_the_same(outcomes, name):
    assert len(outcomes[name]) >= 6
    assert all(outcomes[name]), f"cells {[place for place, good in enumerate(outcomes[name]) if not good]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_a_notebook_of_no_stage_runs_from_top_to_bottom(outcomes, name):
    assert outcomes[name]
    assert all(outcomes[name]), f"cells {[place for place, good in enumerate(outcomes[name]) if not good]}"


@pytest.mark.slow
def test_a_marked_cell_that_shows_something_else_is_found(outcomes):
    assert [good for good in outcomes[SPOILT] if not good] == [False]


@pytest.mark.parametrize("name", OF_STAGES)
def test_the_gates_of_every_stage_are_marked(name):
    notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / name, as_version=4)
    assert ["judge(" in cell.source for cell in marked(notebook)] == [True]
