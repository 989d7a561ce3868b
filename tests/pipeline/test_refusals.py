"""What bad input gets: one or two lines, the exit code of the contract, and nothing half-written or lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import forks
import pytest
import torch
import yaml
from models import save, tiny_llama
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

from critnb.canon import CANON, PACK_ROOT, Exit, Stage
from critnb.cli.command_line import main
from critnb.contract import spec_of
from critnb.runs import RunStore


@pytest.fixture
def ask(inputs, tmp_path, capsys):
    """Run a command on changed params; returns its exit code and its lines on stderr, in this process."""

    def run(word="phase1", *options, **changes):
        tree = yaml.safe_load((inputs / "params.yaml").read_text())
        tree["models"]["BASE"]["path"] = str(inputs / "model")
        tree["data"]["A"]["path"] = str(inputs / "corpus.txt")
        tree["data"]["B"]["path"] = str(inputs / "other.txt")
        for key, value in changes.items():
            section, _, name = key.partition("__")
            if name:
                tree[section][name] = value
            else:
                tree[section] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
        runs = options if "--runs-dir" in options else (*options, "--runs-dir", str(tmp_path / "runs"))
        capsys.readouterr()  # what making the inputs wrote is not the runner's
        code = main([word, "--params", str(tmp_path / "params.yaml"), "-q", *runs])
        return code, capsys.readouterr().err.strip().splitlines()

    return run


def refused(answer, code, *words):
    found, lines = answer
    assert found == code, lines
    assert 1 <= len(lines) <= 2, lines
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in " ".join(lines), lines


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "runs").glob("RUN_*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"windows__seq_length": 3}, ["windows.seq_length", "unknown key"]),
        ({"windows__seq_len": "long"}, ["windows.seq_len", "integer"]),
        ({"gain__grid": []}, ["gain.grid", "at least 1"]),
        ({"gain__grid": [0.9, 1.1]}, ["gain.grid", "1.0"]),
        ({"events__target_rates": [0.0]}, ["events.target_rates", "greater than 0"]),
        ({"events__target_rates": [2.0]}, ["events.target_rates", "less than 1"]),
    ],
)
def test_wrong_params_are_named_by_their_key(ask, tmp_path, changes, words):
    refused(ask(**changes), Exit.BAD_INPUT, *words)
    assert not leftovers(tmp_path)


def test_a_missing_params_file_says_where_it_was_looked_for(capsys):
    assert main(["phase1", "--params", "nowhere.yaml"]) == Exit.BAD_INPUT
    assert "nowhere.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [(b"", Exit.BAD_INPUT, "no text"), (b"\xff\xfe nonsense", Exit.BAD_INPUT, "not UTF-8")],
)
def test_a_corpus_without_text_or_not_utf8(ask, tmp_path, content, code, word):
    (tmp_path / "bad.txt").write_bytes(content)
    refused(ask(data={"A": {"source": "file", "path": "bad.txt"}}), code, "data.A", word)
    assert not leftovers(tmp_path)


def test_a_corpus_that_is_not_there(ask):
    refused(ask(data={"A": {"source": "file", "path": "no/such*.txt"}}), Exit.MISSING_DEPENDENCY, "no file matches")


def test_a_model_directory_without_weights(ask, inputs, tmp_path):
    shutil.copytree(inputs / "model", tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    answer = ask(models={"BASE": {"source": "file", "path": "model"}})
    refused(answer, Exit.MISSING_DEPENDENCY, "models.BASE", "safetensors")
    assert not leftovers(tmp_path)


def test_a_hub_model_that_cannot_be_had_says_how_to_use_a_local_one(ask, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    answer = ask(models={"BASE": {"source": "hub", "id": "nobody/nothing"}})
    refused(answer, Exit.MISSING_DEPENDENCY, "nobody/nothing", "source: file")


def test_a_window_longer_than_the_context(ask, tmp_path):
    refused(ask(windows__seq_len=65), Exit.BAD_INPUT, "65", "context of 64")
    assert not leftovers(tmp_path)


def test_fewer_windows_than_asked_for(ask, tmp_path):
    refused(ask(windows__n_calibration=100_000), Exit.BAD_INPUT, "100000", "the corpus has")
    assert not leftovers(tmp_path)


def test_too_few_expected_events_name_the_layer_the_rate_and_the_windows_needed(ask, tmp_path):
    # 24 windows of 32 tokens and 24 units leave the average layer 51.6 events, which planning takes, and one layer fewer
    refused(
        ask(events__target_rates=[2.8e-3]), Exit.BAD_INPUT, "0.0028", "leaves layer", "windows or more", "n_calibration"
    )
    assert not leftovers(tmp_path)


def test_too_few_events_on_average_are_refused_before_a_run_is_made(ask, tmp_path):
    refused(ask("phase5", events__target_rates=[1e-4]), Exit.BAD_INPUT, "0.0001", "24 windows x 32 tokens x 24 units")
    assert not (tmp_path / "runs").exists()


def test_a_model_without_a_recognisable_mlp(ask, tmp_path):
    config = OpenAIGPTConfig(vocab_size=257, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    folder = save(tmp_path / "other", OpenAIGPTLMHeadModel(config))
    answer = ask(models={"BASE": {"source": "file", "path": str(folder)}})
    refused(answer, Exit.BAD_INPUT, "openai-gpt", "no recognisable MLP", "add a row")
    assert not leftovers(tmp_path)


def test_activations_that_overflow_name_gain_and_layer_and_keep_the_partial_run(ask, tmp_path):
    model = tiny_llama()
    with torch.no_grad():
        # finite weights, as others are refused when they are loaded, whose products are beyond float32
        model.model.layers[2].mlp.up_proj.weight[0] = 3e38
    folder = save(tmp_path / "overflowing", model)
    code, lines = ask(models={"BASE": {"source": "file", "path": str(folder)}})
    refused((code, lines[:1]), Exit.STAGE_FAILED, "layer 2", "gain 1")
    assert lines[1].startswith("the notebook up to there: ")
    (partial,) = leftovers(tmp_path)
    record = json.loads((partial / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    assert record["stage_status"] == "failed"
    assert "NonFiniteError" in next((partial / CANON.RUN_SUBDIR.NOTEBOOK).glob("*.ipynb")).read_text()


def test_missing_upstream_runs_are_demanded_under_no_upstream(ask, tmp_path):
    refused(ask("phase2", "--no-upstream"), Exit.MISSING_DEPENDENCY, "S02 needs RUN_S01")
    assert not leftovers(tmp_path)


def test_a_runs_folder_that_cannot_be_written(ask, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    refused(ask("phase1", "--runs-dir", str(tmp_path / "file")), Exit.BAD_INPUT, "file")


def test_a_second_corpus_that_is_too_short_names_the_windows_needed(ask, copied):
    answer = ask(spec_of(Stage.S06B).command, windows__n_eval_b=100_000)
    refused(answer, Exit.BAD_INPUT, "data.B", "B_eval needs windows up to number 100000 of 32 tokens", "the corpus has")
    assert len(list(copied.glob("RUN_S06B_*"))) == 1


@pytest.fixture
def copied(whole, tmp_path) -> Path:
    shutil.copytree(whole, tmp_path / "runs")
    return tmp_path / "runs"


def stage_run(runs: Path, stage: Stage) -> Path:
    return RunStore(runs).runs(stage)[0].path


def test_an_upstream_run_with_a_changed_byte(ask, copied):
    victim = stage_run(copied, Stage.S03) / CANON.RUN_SUBDIR.RESULTS / CANON.OUTPUT.RASTER_NPZ_BASENAME
    shutil.rmtree(stage_run(copied, Stage.S05))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(data)
    refused(ask("phase5"), Exit.BAD_INPUT, CANON.OUTPUT.RASTER_NPZ_BASENAME)
    assert not list(copied.glob("*S05*"))


def test_an_upstream_run_with_a_missing_file(ask, copied):
    shutil.rmtree(stage_run(copied, Stage.S05))
    victim = stage_run(copied, Stage.S02B) / CANON.RUN_SUBDIR.RESULTS / CANON.OUTPUT.GSTAR_JSON_BASENAME
    victim.parent.chmod(0o755)
    victim.unlink()
    refused(ask("phase5"), Exit.BAD_INPUT, CANON.OUTPUT.GSTAR_JSON_BASENAME)


def test_an_upstream_run_made_from_other_params(ask, copied):
    pinned = stage_run(copied, Stage.S02).name
    answer = ask("phase2", "--use", f"S02={pinned}", gain__grid=[0.9, 1.0])
    refused(answer, Exit.MISSING_DEPENDENCY, pinned, "gain")


def test_verify_tells_a_changed_file_and_leaves_the_rest_alone(whole, copied, capsys):
    assert main(["verify", "--runs-dir", str(whole)]) == Exit.DONE
    run = stage_run(copied, Stage.S05)
    victim = run / CANON.RUN_SUBDIR.TABLES / f"{CANON.TABLE.T01_SUMMARY}.csv"
    victim.chmod(0o644)
    victim.write_text(victim.read_text().replace("0.", "1.", 1))
    capsys.readouterr()
    assert main(["verify", "--runs-dir", str(copied)]) == Exit.BAD_INPUT
    out = capsys.readouterr().out
    assert victim.name in out
    assert "changed" in out


def test_three_commands_at_once_share_a_run_that_one_of_them_makes(inputs, tmp_path, tmp_path_factory):
    command = [PACK_ROOT / "runner.py", "phase2_gain_grid", "--runs-dir", tmp_path]
    command += ["--params", inputs / "params.yaml", "--jobs", "1", "--set"]
    grids = ["[1.0]", "[0.9, 1.0]", "[1.0, 1.1]"]
    three = [forks.Program([*command, f"gain.grid={grid}"], tmp_path_factory.mktemp("streams")) for grid in grids]
    codes = [program.wait() for program in three]
    ends = [(each.stdout.read_text(), each.stderr.read_text(), code) for each, code in zip(three, codes, strict=True)]
    assert [code for _, _, code in ends] == [Exit.DONE] * 3, ends
    # each has made its own grid, and one of them the calibration that the others waited for
    assert sorted(line.split()[0] for out, _, _ in ends for line in out.splitlines()) == ["S01", "S02", "S02", "S02"]
    assert len(list(tmp_path.glob("RUN_S01_*"))) == 1
    others = [err for out, err, _ in ends if "S01 " not in out]
    assert all("is being made by process" in err and "waiting for it" in err for err in others)
    assert all(
        any(line.startswith("S01 ") and line.endswith("  reused") for line in err.splitlines()) for err in others
    )


def test_a_traceback_is_shown_on_demand_only(inputs, tmp_path):
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(PACK_ROOT / "runner.py"), "phase1", "--params", "nowhere.yaml"]
    quiet, verbose = (
        subprocess.run([*command, *more], capture_output=True, text=True, env=environment).stderr
        for more in ([], ["-v"])
    )
    assert "Traceback" not in quiet
    assert "Traceback" in verbose
