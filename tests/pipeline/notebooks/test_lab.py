"""Run All in a real JupyterLab: the page shows gates and no error, the run is there and is what its record says."""

from __future__ import annotations

from collections.abc import Iterator

import nbformat
import pytest
from kernel import by_hand
from lab import Server, lab, needs_lab

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import spec_of
from critnb.runs import RunStore, verify

pytestmark = [needs_lab, pytest.mark.slow]
TRIED = [Stage.S01, Stage.S02B, Stage.S05]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """JupyterLab on a copy of the notebooks."""
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    with lab(home, notebooks=home / "notebooks") as running:
        yield running


@pytest.mark.parametrize("stage", TRIED)
def test_run_all_makes_the_run(server, whole, inputs, lacking, stage, tmp_path):
    runs = lacking(stage)
    name = spec_of(stage).notebook
    nbformat.write(by_hand(stage, inputs / "params.yaml", runs), server.notebooks / name)
    with server.opened(name) as notebook:
        notebook.run_all()
        assert notebook.errors() == []
        notebook.screenshot(tmp_path / f"{stage}.png")
        shown = notebook.outputs()
        badges = notebook.page.locator(".critnb .badge").all_inner_texts()
        if stage is Stage.S02B:
            notebook.run_all()
            assert "came out the same byte for byte" in str(notebook.outputs()[-1])
            notebook.screenshot(tmp_path / f"{stage}-again.png")
    (run,) = RunStore(runs).runs(stage)
    gates = [gate["verdict"] for gate in run.record.metrics["gates"]]
    assert badges[-len(gates) :] == gates
    assert run.run_id in str(shown[-1])
    assert verify(run.path) == []
    (kept,) = RunStore(whole).runs(stage)
    made = {path: each.sha256 for path, each in run.artifacts.items() if path.startswith(CANON.RUN_SUBDIR.RESULTS)}
    assert made == {path: kept.artifacts[path].sha256 for path in made}
    text = run.read_bytes(f"{CANON.RUN_SUBDIR.NOTEBOOK}/{name}").decode()
    assert "critnb_passing" not in text
    assert "widget-view" not in text
    assert str(PACK_ROOT) not in text
    assert [len(cell["outputs"]) for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"][
        -2:
    ] == [1, 1]
