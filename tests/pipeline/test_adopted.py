"""A change of what draws a figure makes new runs, and no forward pass: their model outputs are an earlier run's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from packs import copied
from pipeline.test_pipeline import digests, run_of

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract.code import differ_in_drawing_only
from critnb.pipeline.inputs import ADOPTED_FROM
from critnb.runs import RunStore

PANELS = "critnb/report/figures/panels.py"
ADOPTERS = (Stage.S06B, Stage.S06ARC)
# tables name the run that wrote them
OF_THE_RUN = {
    f"{CANON.RUN_SUBDIR.TABLES}/{name}.{suffix}"
    for name in (CANON.TABLE.T02_GENERALIZATION, CANON.TABLE.T03_ARC)
    for suffix in ("csv", "parquet")
}


@pytest.fixture(scope="module")
def redrawn(whole, inputs, tmp_path_factory) -> Path:
    """Runs of a pack whose shared panels have one more line of code, beside those of the pack as it is."""
    root, runs = tmp_path_factory.mktemp("redrawn") / "pack", tmp_path_factory.mktemp("runs")
    for name in ("critnb", "spec", CANON.PATH.NOTEBOOKS_DIR, CANON.PATH.PARAMS_DIR, CANON.PATH.PAPER_DIR):
        copied(PACK_ROOT / name, root / name, without="weights")
    shutil.copy(PACK_ROOT / "runner.py", root)
    with (root / PANELS).open("a", encoding="utf-8") as file:
        file.write("\n_ANOTHER_LOOK = True\n")
    for stage in (Stage.S01, Stage.S02, Stage.S02B, *ADOPTERS):
        shutil.copytree(run_of(whole, stage).path, runs / run_of(whole, stage).run_id)
    command = [sys.executable, root / "runner.py", "phase6", "--params", inputs / "params.yaml", "--runs-dir", runs]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("stage", ADOPTERS)
def test_a_new_figure_takes_no_forward_pass_and_the_same_bytes_come_out(whole, redrawn, stage):
    before = run_of(whole, stage)
    (again,) = [run for run in redrawn.glob(f"RUN_{stage}_*") if run.name != before.run_id]
    record = RunStore(redrawn).open(again.name).record
    assert record.metrics[ADOPTED_FROM] == before.run_id
    assert record.forward_windows == 0
    assert {**record.metrics, ADOPTED_FROM: None} == {**before.record.metrics, ADOPTED_FROM: None}
    assert (record.model, record.datasets) == (before.record.model, before.record.datasets)
    old, new = (
        {path.split("/", 1)[1]: digest for path, digest in digests(redrawn, name).items()}
        for name in (before.run_id.removeprefix("RUN_"), again.name.removeprefix("RUN_"))
    )
    results = [path for path in old if path.startswith((CANON.RUN_SUBDIR.RESULTS, f"{CANON.RUN_SUBDIR.TABLES}/"))]
    assert results
    assert {path for path in results if old[path] != new[path]} <= OF_THE_RUN


@pytest.mark.parametrize(
    ("path", "adopts"),
    [
        (PANELS, True),
        ("critnb/report/style.py", True),
        ("critnb/stages/s06b_generalize/views.py", True),
        ("critnb/stages/s06b_generalize/work.py", False),
        ("critnb/stages/s06b_generalize/tables.py", False),
        ("critnb/model/forward.py", False),
        ("critnb/report/tables.py", False),
        ("critnb/model/windows.py", False),
    ],
)
def test_only_what_draws_may_differ(whole, path, adopts):
    ours = run_of(whole, Stage.S06B).inputs
    for digests_of in ({**ours.sources, path: "0" * 64}, {k: v for k, v in ours.sources.items() if k != path}):
        if digests_of != ours.sources:
            assert differ_in_drawing_only(replace(ours, sources=digests_of), ours) is adopts


def test_other_params_text_notebooks_or_upstream_runs_are_never_adopted(whole):
    ours = run_of(whole, Stage.S06B).inputs
    others = (
        replace(ours, notebook_sha256="0" * 64),
        replace(ours, upstream={**ours.upstream, "S02": "RUN_S02_0123456789ab"}),
        replace(ours, sections={**ours.sections, "params": {}}),
    )
    assert not any(differ_in_drawing_only(other, ours) for other in others)
    assert differ_in_drawing_only(ours, ours)
