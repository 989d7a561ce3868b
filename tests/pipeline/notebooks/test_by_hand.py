"""Stage notebooks that a person runs: what they make, what they keep, and what a second Run All says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import forks
import nbformat
import pytest
from kernel import text

import critnb
from critnb.canon import CANON, PACK_ROOT, Exit, Stage, Status
from critnb.cli.command_line import main
from critnb.contract import spec_of
from critnb.errors import GateError, IntegrityError
from critnb.pipeline.by_hand import run as run_module
from critnb.pipeline.session import StageSession
from critnb.runs import Run, RunStore
from critnb.stages.s02b_select_gstar.work import choose, gates

SELECT = Stage.S02B
MADE = (CANON.RUN_SUBDIR.RESULTS, CANON.RUN_SUBDIR.TABLES, CANON.RUN_SUBDIR.FIGS)


def only(runs: Path, stage: Stage) -> Run:
    (run,) = RunStore(runs).runs(stage)
    return run


def made(run: Run) -> dict[str, str]:
    return {path: each.sha256 for path, each in run.artifacts.items() if path.partition("/")[0] in MADE}


def kept(run: Run) -> nbformat.NotebookNode:
    path = f"{CANON.RUN_SUBDIR.NOTEBOOK}/{spec_of(run.stage).notebook}"
    return nbformat.reads(run.read_bytes(path).decode(), as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> list[tuple[str, list[dict[str, object]]]]:
    """Code and outputs of the cells behind the parameters, which differ."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(cell.source, cell.outputs) for cell in code if "parameters" not in str(cell.metadata.get("tags"))]


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def errors(notebook: nbformat.NotebookNode) -> list[str]:
    return [text([o]) for cell in code_cells(notebook) for o in cell.outputs if o.output_type == "error"]


def test_a_run_by_hand_is_the_runner_s_run_with_what_the_person_saw(whole, lacking, run_by_hand, capsys):
    runs = lacking(SELECT)
    seen = run_by_hand(SELECT, runs)
    assert errors(seen) == []
    ours, theirs = only(runs, SELECT), only(whole, SELECT)
    assert ours.run_id == theirs.run_id
    assert made(ours) == made(theirs)
    assert main(["verify", ours.run_id, "--runs-dir", str(runs)]) == Exit.DONE
    assert outputs(kept(ours)) == outputs(kept(theirs))
    assert len([cell for cell in code_cells(kept(ours)) if cell.outputs]) >= 4
    assert str(runs) not in ours.read_bytes(f"{CANON.RUN_SUBDIR.NOTEBOOK}/{spec_of(SELECT).notebook}").decode()
    assert ours.record.notes == ("run by hand",)
    page = (runs / CANON.OUTPUT.INDEX_HTML_BASENAME).read_text()
    assert ours.run_id in page


def test_missing_upstream_runs_are_made_first_with_a_line_each(whole, lacking, run_by_hand):
    runs = lacking(Stage.S02, SELECT)
    seen = run_by_hand(SELECT, runs)
    assert errors(seen) == []
    assert made(only(runs, Stage.S02)) == made(only(whole, Stage.S02))
    assert made(only(runs, SELECT)) == made(only(whole, SELECT))
    lines = text(code_cells(seen)[1].outputs).splitlines()
    assert [line.split()[0] for line in lines] == ["S02", only(runs, SELECT).run_id + ":"]
    assert lines[0].endswith(" s, 4 gates pass")
    # a record of the person's waiting is no part of the run
    assert outputs(kept(only(runs, SELECT))) == outputs(kept(only(whole, SELECT)))


def test_cells_of_one_s_own_are_told_of_and_not_kept(lacking, run_by_hand):
    runs = lacking(SELECT)
    notebook = run_by_hand(SELECT, runs, before="stage.run.run_id")
    assert errors(notebook) == []
    run = only(runs, SELECT)
    assert run.record.notes == ("run by hand",)
    assert run.record.warnings == ("run by hand, among 1 cells that are none of the notebook's",)
    assert "stage.run.run_id" not in [cell.source for cell in kept(run).cells]


def test_run_all_again_compares_and_keeps_nothing(lacking, run_by_hand):
    runs = lacking()
    before = sorted(runs.iterdir())
    run = only(runs, SELECT)
    again = ["stage.finish()", "work.choose(stage)"]
    seen = run_by_hand(SELECT, runs, *again)
    cells = code_cells(seen)
    said = f"'{run.run_id}: computed again, its 2 artifacts came out the same byte for byte'"
    assert text(cells[-3].outputs) == text(cells[-2].outputs) == said
    assert errors(seen) == [
        f"RunExistsError: {run.run_id} is finished; run the notebook from the top to compute it again"
    ]
    assert sorted(runs.iterdir()) == before


def test_run_all_again_names_what_came_out_different(lacking, run_by_hand):
    runs = lacking()
    run = only(runs, SELECT)
    path = run.path / CANON.OUTPUT.RUN_RECORD_JSON
    artifact = run.artifacts[run.result(CANON.OUTPUT.GSTAR_JSON_BASENAME)]
    path.chmod(0o644)
    path.write_text(path.read_text().replace(artifact.sha256, "0" * 64))
    seen = run_by_hand(SELECT, runs)
    assert "1 of 2 artifacts differ: results/gstar.json; the run stays as it is" in text(code_cells(seen)[-1].outputs)


def test_what_is_begun_anew_in_the_same_kernel_is_left_and_another_run_begins(lacking, run_by_hand):
    runs = lacking(SELECT)
    notebook = run_by_hand(
        SELECT,
        runs,
        "overrides['analysis.bootstrap_reps'] = 20",
        "stage = critnb.begin('S02B', params=params, overrides=overrides)\nfirst = stage.run.path",
        "work.choose(stage)\nwork.choose(stage)",
        "overrides['analysis.bootstrap_reps'] = 30",
        "stage = critnb.begin('S02B', params=params, overrides=overrides)\nprint(first.name)\nprint(stage.run.path.name)",
    )
    assert errors(notebook) == []
    first, second = text(code_cells(notebook)[-1].outputs).splitlines()[-2:]
    # the first had computed something, the second, which the kernel's end left, had not
    record = json.loads((runs / first / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    assert (record["stage_status"], record["error"]) == (Status.failed, "left before its end")
    assert not (runs / second).exists()


def test_a_run_that_was_left_is_gone_on_with(whole, lacking, run_by_hand):
    runs = lacking(SELECT)
    run_id = only(whole, SELECT).run_id
    RunStore(runs).create(run_id).close()
    seen = run_by_hand(SELECT, runs)
    assert errors(seen) == []
    assert f"{run_id}: goes on in" in text(code_cells(seen)[1].outputs)
    assert made(only(runs, SELECT)) == made(only(whole, SELECT))


def test_a_run_in_other_hands_is_one_line(whole, lacking, run_by_hand):
    runs = lacking(SELECT)
    with RunStore(runs).create(only(whole, SELECT).run_id) as held:
        seen = run_by_hand(SELECT, runs)
        first = errors(seen)[0]
        assert first.startswith(f"RunHeldError: {held.path} is being made by process {os.getpid()} on ")
        assert first.endswith("; wait for it or end it")


def test_a_cell_that_was_changed_and_not_saved_makes_no_run(lacking, run_by_hand, monkeypatch):
    runs = lacking(SELECT)
    real = nbformat.read

    def edited(path, as_version):
        notebook = real(path, as_version=as_version)
        cell = next(cell for cell in notebook.cells if "work.choose(stage)" in cell.source)
        cell.source += "\nchoices = choices"
        return notebook

    monkeypatch.setattr(nbformat, "read", edited)
    seen = run_by_hand(SELECT, runs)
    (error,) = errors(seen)
    assert error.splitlines() == [
        "IntegrityError: the cell that begins with 'choices = work.choose(stage)' was not run as the notebook file has "
        "it, so nobody could make this run again",
        "save the notebook if it was changed, and run it from the top",
    ]
    assert RunStore(runs).runs(SELECT) == []


def begin(inputs: Path, runs: Path, **overrides: object) -> StageSession:
    return critnb.begin(SELECT, params=str(inputs / "params.yaml"), overrides={"runs_dir": str(runs), **overrides})


def test_outside_of_a_kernel_the_notebook_is_kept_without_outputs(whole, inputs, lacking):
    runs = lacking(SELECT)
    stage = begin(inputs, runs)
    choose(stage)
    stage.judge(*gates(stage))
    stage.finish()
    run = only(runs, SELECT)
    assert made(run) == made(only(whole, SELECT))
    assert run.record.notes == ("run by hand outside of a notebook's kernel: the notebook is kept without its outputs",)
    assert [cell.source for cell in code_cells(kept(run)) if cell.outputs] == []


def test_a_gate_judged_again_counts_once(inputs, lacking):
    stage = begin(inputs, lacking(SELECT), strict=True)
    choose(stage)
    found = gates(stage)
    stage.judge(*found)
    stage.judge(*found)
    assert [gate["name"] for gate in stage.run.record.metrics["gates"]] == [gate.name for gate in found]
    with pytest.raises(GateError, match="S02B has gates that did not pass"):
        stage.finish()


def test_code_that_changed_after_the_kernel_loaded_it_is_refused(inputs, lacking, monkeypatch):
    runs = lacking(SELECT)
    begin(inputs, runs)
    real = run_module._loaded_sources
    monkeypatch.setattr(run_module, "_loaded_sources", {**real, "critnb/pipeline/session.py": "0" * 64})
    with pytest.raises(
        IntegrityError, match=r"critnb/pipeline/session\.py was changed since this kernel loaded it\nrestart"
    ):
        begin(inputs, runs)
    assert not list(runs.glob(f"*{CANON.PATH.PARTIAL_SUFFIX}"))


def test_the_role_and_params_of_the_parameters_cell_count(run_by_hand, tmp_path):
    seen = run_by_hand(SELECT, tmp_path / "runs", role="INSTRUCT")
    assert errors(seen)[0].startswith("ParamsError: params.yaml: models.INSTRUCT is not given (there is BASE)")
    seen = run_by_hand(SELECT, tmp_path / "runs", **{"gain.grid": [0.7]})
    assert errors(seen)[0] == "ParamsError: overrides: gain.grid: must hold the baseline gain 1.0"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("where", ["the pack's root", "the params' folder"])
def test_plain_papermill_from_wherever(lacking, inputs, tmp_path, where):
    cwd, params = {
        "the pack's root": (PACK_ROOT, os.path.relpath(inputs / "params.yaml", PACK_ROOT)),
        "the params' folder": (inputs, "params.yaml"),
    }[where]
    notebook, out = PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec_of(SELECT).notebook, tmp_path / "out.ipynb"
    command = ["-m", "papermill", "--no-progress-bar", notebook, out, "-p", "params", params]
    environment = {**os.environ, "PYTHONPATH": str(PACK_ROOT), "PYTHONWARNINGS": "ignore"}
    overrides = json.dumps({"overrides": {"runs_dir": str(lacking())}})
    done = forks.python(*command, "-y", overrides, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stderr
    last = nbformat.read(out, as_version=4).cells[-1]
    assert "came out the same byte for byte" in text(last.outputs)
