"""The driver of JupyterLab itself, so that a failure of a notebook's test is the notebook's."""

from __future__ import annotations

import subprocess

import nbformat
from lab import lab, needs_lab
from nbformat.v4 import new_code_cell, new_notebook

from critnb.canon import PACK_ROOT

WHERE = "import critnb, sys\nprint(critnb.__file__, sys.executable)"
SLIDER = "import ipywidgets\nslider = ipywidgets.IntSlider(3, description='a slider')\nslider"


@needs_lab
def test_cells_run_outputs_and_errors_come_back_and_nothing_stays_behind(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [new_code_cell(source) for source in (WHERE, SLIDER, "import time\ntime.sleep(1)\n1 / 0", "'never run'")]
    nbformat.write(new_notebook(cells=cells), folder / "one.ipynb")
    with lab(tmp_path / "home", notebooks=folder) as server, server.opened("one.ipynb") as notebook:
        notebook.run_all()
        first, second, third, last = notebook.outputs()
        file, interpreter = first[0]["text"].split()
        notebook.page.locator("label.widget-label", has_text="a slider").wait_for(timeout=20_000)
        assert file.startswith(str(PACK_ROOT))
        assert interpreter.startswith("/")
        assert "application/vnd.jupyter.widget-view+json" in second[0]["data"]
        assert third[0]["ename"] == "ZeroDivisionError"
        assert last == []
        assert notebook.errors() == ["ZeroDivisionError: division by zero"]
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in processes
