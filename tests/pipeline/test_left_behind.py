"""Refusals that only a running stage can give, and what each leaves in the runs folder: nothing half-written, nothing lost."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from models import save, tiny

from critnb.canon import CANON, PACK_ROOT, Exit, Stage, Status
from critnb.cli.command_line import main
from critnb.contract import spec_of
from critnb.pipeline import input_files
from critnb.runs import RunStore


def tree(folder: Path) -> dict[str, str]:
    """Digests of all files of the runs; the page of the folder, written anew whatever happens, is none of them."""
    page = folder / CANON.OUTPUT.INDEX_HTML_BASENAME
    found = (path for path in sorted(folder.rglob("*")) if path != page)
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def folder(inputs, tmp_path) -> Path:
    """A copy of the inputs that a test may spoil."""
    return shutil.copytree(inputs, tmp_path / "inputs")


@pytest.fixture
def ask(folder, tmp_path, capsys):
    def run(word: str, *options: str) -> tuple[int, list[str]]:
        words = [word, "--params", str(folder / "params.yaml"), "--runs-dir", str(tmp_path / "runs"), "-q", *options]
        code = main(words)
        shown = capsys.readouterr()
        return code, [*shown.err.splitlines(), *shown.out.splitlines()]

    return run


@pytest.fixture
def calibrated(whole, tmp_path) -> Path:
    """A runs folder that holds S01 only."""
    run = RunStore(whole).runs(Stage.S01)[0]
    shutil.copytree(run.path, tmp_path / "runs" / run.run_id)
    return tmp_path / "runs"


def test_a_refusal_in_the_kernel_is_all_that_a_terminal_shows(folder, tmp_path):
    words = ["phase1", "--params", str(folder / "params.yaml"), "--runs-dir", str(tmp_path / "runs"), "-q"]
    command = [sys.executable, str(PACK_ROOT / "runner.py"), *words, "--set", "windows.n_calibration=100000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (Exit.BAD_INPUT, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("error: data.A: A_cal needs windows up to number 100000 of 32 tokens, the corpus has ")
    assert second.startswith("lower windows.n_*")
    assert tree(tmp_path / "runs") == {}


def test_a_model_with_half_its_weights_is_named_by_its_file(ask, folder, tmp_path):
    weights = folder / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    code, lines = ask("phase1")
    assert code == Exit.BAD_INPUT
    assert len(lines) == 1
    assert lines[0].startswith(f"error: models.BASE: {weights} is no whole safetensors file (")
    assert tree(tmp_path / "runs") == {}


def test_a_model_without_one_kind_of_attention_is_refused_a_gain_on_it(ask, folder, tmp_path):
    shutil.rmtree(folder / "model")
    kinds = ["conv", "full_attention", "conv"]
    save(folder / "model", tiny("lfm2", layer_types=kinds))
    code, lines = ask("phase0", "--set", "gain.interventions=[MLP_GLOBAL, ATTN_GLOBAL]")
    assert code == Exit.BAD_INPUT
    assert lines[-2].startswith("error: gain.interventions: ATTN_GLOBAL has no meaning in this model")
    assert lines[-1] == "take ATTN_GLOBAL out of gain.interventions"
    assert tree(tmp_path / "runs") == {}


def test_a_gain_that_overflows_is_named_and_what_was_done_before_is_kept(ask, calibrated):
    before, grid = tree(calibrated), ["--set", "gain.grid=[1.0, 3.0e+38]"]
    code, lines = ask("phase2_gain_grid", *grid)
    assert code == Exit.STAGE_FAILED
    assert lines[1].startswith("the notebook up to there: ")
    assert len(lines) == 3
    assert "are not finite at MLP_GLOBAL gain 3e+38; take that gain out of gain.grid" in lines[0]
    (partial,) = calibrated.glob("*.partial")
    record = json.loads((partial / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    assert record["stage_status"] == Status.failed
    assert "not finite" in record["error"]
    assert list((partial / CANON.RUN_SUBDIR.CHECKPOINTS).glob("*gain_1*"))
    assert {path: tree(calibrated)[path] for path in before} == before
    code, lines = ask("phase2_gain_grid", *grid)
    assert code == Exit.RUN_EXISTS
    assert lines == [f"error: {partial} is incomplete; pass --allow-resume to go on with it, or delete it"]
    _, (_, line) = ask("phase2_gain_grid", *grid, "--dry-run")
    assert line.endswith("run: partial: continue it with --allow-resume")


def test_an_upstream_record_that_cannot_be_read_is_refused_before_anything_starts(ask, calibrated):
    record = next(calibrated.glob("RUN_S01_*")) / CANON.OUTPUT.RUN_RECORD_JSON
    record.chmod(0o644)
    record.write_text(record.read_text()[:100])
    code, lines = ask("phase2")
    assert code == Exit.BAD_INPUT
    assert len(lines) <= 2
    assert CANON.OUTPUT.RUN_RECORD_JSON in lines[0]
    assert [path.name for path in calibrated.glob("RUN_*")] == [record.parent.name]


def test_the_same_run_twice_is_reused_and_untouched(ask, calibrated):
    before = tree(calibrated)
    code, lines = ask("phase1")
    assert code == Exit.DONE
    assert lines == []
    assert tree(calibrated) == before


def test_strict_ends_a_stage_at_a_gate_that_did_not_pass(ask, calibrated):
    # of a grid of one gain, g* is the edge
    code, lines = ask("phase2", "--strict", "--set", "gain.grid=[1.0]")
    assert code == Exit.BAD_INPUT
    assert lines[:1] == [
        "error: --strict: S02B has gates that did not pass: g* identified, g* inside the grid; see its notebook"
    ]
    assert [path.name[:8] for path in sorted(calibrated.glob("RUN_*"))] == ["RUN_S01_", "RUN_S02B", "RUN_S02_"]
    (partial,) = calibrated.glob("*.partial")
    record = json.loads((partial / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    assert (record["stage_id"], record["stage_status"]) == (Stage.S02B, Status.failed)
    assert (partial / CANON.RUN_SUBDIR.NOTEBOOK / spec_of(Stage.S02B).notebook).is_file()


def plan_of(capsys, params: Path, runs: Path, *options: str) -> dict[str, str]:
    assert main(["all", "--params", str(params), "--runs-dir", str(runs), "--dry-run", *options]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: line.split("  ", 1)[1].split("  ")[-1] for line in lines}


def test_a_dry_run_says_which_input_changed(inputs, whole, capsys):
    before = tree(whole)
    plan = plan_of(capsys, inputs / "params.yaml", whole, "--set", "gain.grid=[0.8, 1.0]")
    assert plan["S00"] == plan["S01"] == "reuse: complete"
    assert plan["S02"] == "run: changed: params.gain.grid: [0.8,1.0,1.2] -> [0.8,1.0]"
    assert plan["S02B"].startswith("run: changed: params.gain.grid")
    assert "upstream S02: RUN_S02_" in plan["S02B"]
    assert tree(whole) == before


def test_a_dry_run_says_that_the_corpus_changed(folder, whole, capsys):
    corpus = folder / "corpus.txt"
    corpus.write_text(corpus.read_text().replace("small", "large", 1))
    plan = plan_of(capsys, folder / "params.yaml", whole)
    assert plan["S00"].startswith("run: changed: data.A.content_sha256")
    assert plan["S01"].startswith("run: changed: data.A.content_sha256")


def test_a_dry_run_tells_a_change_of_code(inputs, whole, capsys, monkeypatch):
    real = input_files.stage_files
    monkeypatch.setattr(
        input_files, "stage_files", lambda spec, **_: {**real(spec), "critnb/pipeline/session.py": "0" * 64}
    )
    plan = plan_of(capsys, inputs / "params.yaml", whole)
    assert plan["S00"] == plan["S01"] == "run: changed: source critnb/pipeline/session.py changed"
