"""Options of a run: words of a notebook's overrides, flags of a command, and what reaches a kernel."""

from __future__ import annotations

import pytest

from critnb.canon import CANON, PACK_ROOT, ModelRole, Stage
from critnb.cli.command_line import _parser
from critnb.errors import ParamsError
from critnb.params import Params, load
from critnb.pipeline.options import RunOptions


def test_without_a_word_everything_is_as_on_the_command_line():
    values = {"gain.grid": [1.0], "windows": {"seq_len": 64}}
    options, others = RunOptions.of_notebook(values)
    assert others == values
    assert options == RunOptions() == RunOptions.of_command(vars(_parser().parse_args(["phase1"])))
    assert options.store().root == PACK_ROOT / CANON.PATH.RUNS_DIR
    embedded = {"source": "embedded"}
    both = Params.model_validate({"models": {"INSTRUCT": embedded, "BASE": embedded}})
    assert options.roles(both) == [ModelRole.BASE]
    assert options.roles(both, every=True) == list(ModelRole)
    assert options.roles(Params.model_validate({"models": {"INSTRUCT": embedded}})) == [ModelRole.INSTRUCT]


def test_words_are_no_params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = {"role": "INSTRUCT", "runs_dir": "here", "strict": True, "verbose": False, "gain.grid": [1.0]}
    options, others = RunOptions.of_notebook(words)
    assert others == {"gain.grid": [1.0]}
    assert options == RunOptions(role="INSTRUCT", runs_dir="here", strict=True)
    assert options.store().root == tmp_path / "here"
    assert options.roles(Params()) == options.roles(Params(), every=True) == [ModelRole.INSTRUCT]


@pytest.mark.parametrize("wrong", [{"role": 3}, {"role": "base"}, {"runs_dir": 1}, {"strict": "yes"}, {"verbose": 1}])
def test_a_word_that_cannot_be_used_is_named(wrong):
    with pytest.raises(ParamsError, match=f"^overrides: {next(iter(wrong))}: "):
        RunOptions.of_notebook(wrong)


@pytest.mark.parametrize(("written", "meant"), [("rol", "role"), ("run_dir", "runs_dir"), ("windos", "windows")])
def test_a_misspelt_word_is_told_the_one_that_was_meant(written, meant):
    with pytest.raises(ParamsError, match=f"^overrides: {written}: unknown key; did you mean {meant}\\?$"):
        RunOptions.of_notebook({written: 1})


def test_a_word_of_a_notebook_means_what_the_flag_means(tmp_path):
    command = ["phase1", "--role", "INSTRUCT", "--runs-dir", str(tmp_path), "--strict", "-v"]
    words = {"role": "INSTRUCT", "runs_dir": tmp_path, "strict": True, "verbose": True}
    assert RunOptions.of_command(vars(_parser().parse_args(command))) == RunOptions.of_notebook(words)[0]


def test_flags_of_the_command_line():
    command = ["phase1", "--use", "S01=RUN_S01_a", "--use", "S02=RUN_S02_b", "--role", "all", "--allow-resume"]
    options = RunOptions.of_command(vars(_parser().parse_args([*command, "--no-upstream", "--dry-run", "-q"])))
    assert options.pins() == {Stage.S01: "RUN_S01_a", Stage.S02: "RUN_S02_b"}
    assert (options.allow_resume, options.no_upstream, options.dry_run, options.quiet) == (True,) * 4
    assert (options.strict, options.verbose, options.runs_dir) == (False, False, None)
    both = Params.model_validate({"models": {role: {"source": "embedded"} for role in ModelRole}})
    assert options.roles(both) == list(ModelRole)


def test_a_kernel_gets_what_its_stage_needs_through_its_environment(monkeypatch, tmp_path):
    data = {"A": {"source": "file:x", "revision": None}}
    base = tmp_path / "with space"
    for checked in (None, tmp_path):
        options = RunOptions(base_dir=base, device="cuda:1", strict=True, data=data, checked=checked)
        for name, value in options.for_kernel().items():
            monkeypatch.setenv(name, value)
        assert RunOptions.of_kernel() == options


def test_device_and_folder_are_those_of_the_params(tmp_path):
    (tmp_path / "mine.yaml").write_text("compute: {device: cpu}")
    options = RunOptions(strict=True).with_params(load(tmp_path / "mine.yaml"))
    assert options == RunOptions(strict=True, device="cpu", base_dir=tmp_path)
