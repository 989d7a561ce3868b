"""``critnb init``: what it lays out, what it refuses, and that a working folder of an installed pack is used as such."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_wheel import run, site  # noqa: F401 - a fixture

from critnb.canon import PACK_ROOT, Exit
from critnb.cli.command_line import main

COPIED = {f"{folder}/{path.name}" for folder in ("notebooks", "params") for path in (PACK_ROOT / folder).iterdir()}
COPIED = {name for name in COPIED if name.endswith((".ipynb", ".yaml"))}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", ["new", "of/a/new/folder", "empty", "."])
def test_notebooks_and_params_are_those_of_the_pack(tmp_path, monkeypatch, capsys, target):
    monkeypatch.chdir(tmp_path)
    if target == "empty":
        Path(target).mkdir()
    assert main(["init", target]) == Exit.DONE
    assert files(Path(target)) == COPIED
    assert all((Path(target) / name).read_bytes() == (PACK_ROOT / name).read_bytes() for name in COPIED)
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in said[2:]] == [
        *([["cd", target]] if target != "." else []),
        ["critnb", "all"],
        ["jupyter", "lab"],
    ]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("full", "holds files already; name a folder that is new or empty"),
        ("full/a_file", "is a file; name a folder that is new or empty"),
        ("full/a_file/below", "Not a directory; name another folder"),
        ("/proc/nothing", "; name another folder"),
    ],
)
def test_a_place_that_cannot_be_had_is_one_line(tmp_path, monkeypatch, capsys, target, says):
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/a_file").write_text("mine")
    assert main(["init", target]) == Exit.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: init: ")
    assert err.endswith(f"{says}\n")
    assert err.count("\n") == 1
    assert files(tmp_path) == {"full/a_file"}
    assert Path("full/a_file").read_text() == "mine"


@pytest.mark.parametrize("stop", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("target", ["of/a/new/folder", "empty"])
def test_nothing_half_made_is_left(tmp_path, monkeypatch, capsys, stop, target):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    write, left = Path.write_bytes, iter([True] * 12)  # notebooks/ is done, params/ begun

    def full(path: Path, data: bytes) -> int:
        if next(left, None) is None:
            raise stop
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    code = main(["init", target])
    assert code == (Exit.BAD_INPUT if isinstance(stop, OSError) else Exit.INTERRUPTED)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["empty"]
    assert capsys.readouterr().out == ""


def test_the_version_needs_nothing_heavy():
    script = (
        "import sys\nfrom critnb.cli.command_line import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(sorted({'torch', 'pandas', 'transformers', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["critnb 0.1.0", "[]"]


@pytest.fixture(scope="module")
def folder(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A working folder of an installed pack, whose base.yaml is no longer the pack's."""
    folder = tmp_path_factory.mktemp("user") / "work"
    run(site, "-m", "critnb", "init", str(folder), cwd=folder.parent)
    base = folder / "params" / "base.yaml"
    changed = {**yaml.safe_load(base.read_text()), "windows": {"seq_len": 48, "n_calibration": 24}}
    base.write_text(yaml.safe_dump(changed))
    return folder


def test_commands_in_a_working_folder_take_its_params(site, folder, tmp_path):  # noqa: F811
    plan = ("-m", "critnb", "phase1", "--params", "base.yaml", "--dry-run")
    ours, theirs = (run(site, *plan, cwd=cwd) for cwd in (folder, tmp_path))
    assert "RUN_S01" in ours
    assert ours != theirs
    assert run(site, *plan, cwd=folder / "notebooks") == ours
    said = subprocess.run(
        [sys.executable, *plan], cwd=folder, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True
    )
    assert said.stderr == "params: params/base.yaml\n"


def test_a_notebook_by_hand_in_a_working_folder_runs_with_its_params_into_its_runs(site, folder):  # noqa: F811
    script = (
        "import critnb; stage = critnb.begin('S01', params='base.yaml', overrides={}, run_dir=None)\n"
        "print(stage.params.windows.seq_len, stage.run.path.parent)\n"
        "from critnb.explore import Explorer; print(Explorer('../runs').runs)"
    )
    said = run(site, "-c", script, cwd=folder / "notebooks").splitlines()
    assert said == [f"48 {folder / 'runs'}", str(folder / "runs")]
