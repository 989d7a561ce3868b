"""What a terminal and a run say of a stage whose notebook fails: which cell, why, and where the notebook is kept."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import nbformat
import pytest

from critnb.canon import CANON, PACK_ROOT, Exit, Stage, Status
from critnb.cli.command_line import main
from critnb.contract import spec_of
from critnb.runs import RunStore

SPEC = spec_of(Stage.S02B)
LONG = "\n".join(f"x_{n} = {n}" for n in range(14))
DIES = "import os\nos._exit(1)"


@pytest.fixture
def fail(whole, inputs, tmp_path, monkeypatch, capsys):
    """Run S02B with another cell in the place of its first one behind the beginning."""
    runs = tmp_path / "runs"
    shutil.copytree(whole, runs)
    shutil.rmtree(RunStore(runs).runs(SPEC.id)[0].path)
    monkeypatch.setenv("PYTHONPATH", str(PACK_ROOT))
    monkeypatch.setattr("critnb.pipeline.notebook.PACK_ROOT", tmp_path)
    # a failing cell is shown, the rest of a person's terminal is not
    monkeypatch.setattr(sys, "argv", ["runner.py"])

    def run(source: str, *options: str) -> tuple[int, list[str], Path]:
        notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / SPEC.notebook, as_version=4)
        cell = next(cell for cell in notebook.cells if "work.choose" in cell.source)
        cell.source = source
        (tmp_path / CANON.PATH.NOTEBOOKS_DIR).mkdir()
        nbformat.write(notebook, tmp_path / CANON.PATH.NOTEBOOKS_DIR / SPEC.notebook)
        words = [SPEC.command, "--params", str(inputs / "params.yaml"), "--runs-dir", str(runs)]
        code = main([*words, *(options or ["-q"])])
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[IPKernelApp]")]
        (partial,) = runs.glob(f"*{CANON.PATH.PARTIAL_SUFFIX}")
        return code, lines, partial

    return run


def test_the_cell_the_message_and_the_notebook(fail):
    code, lines, partial = fail("numbers = [1]\nnumbers[2]")
    page = partial / CANON.RUN_SUBDIR.NOTEBOOK / SPEC.notebook.replace(".ipynb", ".html")
    assert code == Exit.STAGE_FAILED
    assert lines == [
        "error: S02B failed with IndexError: list index out of range",
        "in the cell:",
        "    numbers = [1]",
        "    numbers[2]",
        f"the notebook up to there: {page}",
        f"                          {page.with_suffix('.ipynb')}",
    ]
    assert "IndexError" in page.read_text()
    record = json.loads((partial / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    assert (record["stage_status"], record["error"]) == (Status.failed, lines[0].removeprefix("error: "))


def test_of_a_long_cell_the_beginning(fail):
    _, lines, _ = fail(f"{LONG}\n1 / 0")
    shown = [line.strip() for line in lines if line.startswith("    ")]
    assert shown[:10] == LONG.splitlines()[:10]
    assert shown[10] == "... 5 more lines"


def test_the_cell_s_traceback_on_demand(fail):
    _, lines, _ = fail("def broken():\n    raise ValueError('here')\n\nbroken()", "-v")
    said = "\n".join(lines)
    assert "in broken()" in said
    assert "papermill" not in said
    assert lines[-1].endswith(".ipynb")


def test_an_error_of_the_pack_that_leaves_a_run_says_where_too(fail):
    code, lines, partial = fail("from critnb.errors import NonFiniteError\nraise NonFiniteError('a gain overflows')")
    assert code == Exit.STAGE_FAILED
    assert lines[0] == "error: a gain overflows"
    assert [line.split("/")[-1] for line in lines[1:]] == [SPEC.notebook.replace(".ipynb", ".html"), SPEC.notebook]
    assert str(partial) in lines[1]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("!false", "CalledProcessError: Command 'false' returned non-zero exit status 1."),
        ("found = !exit 3", "CalledProcessError: Command 'exit 3' returned non-zero exit status 3."),
        ("%nonsense", "UsageError: Line magic function `%nonsense` not found."),
        ("%%nonsense\n1", "UsageError: Cell magic `%%nonsense` not found."),
    ],
)
def test_a_shell_command_that_fails_and_a_magic_that_nobody_knows_are_named(fail, cell, said):
    code, lines, _ = fail(cell)
    assert code == Exit.STAGE_FAILED
    assert lines[:3] == [f"error: S02B failed with {said}", "in the cell:", f"    {cell.splitlines()[0]}"]


def test_a_kernel_that_dies(fail):
    code, lines, partial = fail(DIES)
    assert code == Exit.STAGE_FAILED
    assert lines[0].startswith("error: S02B failed with DeadKernelError: the notebook's kernel died")
    assert lines[1:4] == ["in the cell:", "    import os", "    os._exit(1)"]
    assert DIES in nbformat.read(partial / CANON.RUN_SUBDIR.NOTEBOOK / SPEC.notebook, as_version=4).cells[4].source
