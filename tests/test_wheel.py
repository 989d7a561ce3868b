"""The pack as a wheel: the library, the plan of runs and a stage, without the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from critnb import __version__
from critnb.canon import PACK_ROOT

SMALL = ("--set", "windows.n_calibration=24", "--set", "windows.seq_len=64")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what an installer would unpack, and nothing of the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(PACK_ROOT),
    ]
    subprocess.run([sys.executable, *build], check=True, capture_output=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def run(site: Path, *words: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, *words], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_lies_in_one_folder_beside_its_metadata(site: Path) -> None:
    top = {path.name for path in site.iterdir()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"critnb"}
    assert not list(site.rglob("__pycache__"))


def test_it_carries_its_licence_and_names_it(site: Path) -> None:
    (info,) = site.glob("*.dist-info")
    for name in ("LICENSE", "NOTICE"):
        text = (PACK_ROOT / name).read_bytes()
        assert (info / "licenses" / name).read_bytes() == (site / "critnb" / "_pack" / name).read_bytes() == text
    metadata = message_from_bytes((info / "METADATA").read_bytes())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE", "NOTICE"]
    assert {"all", "cluster", "dev", "explore", "hub", "lab", "large", "paper"} == set(
        metadata.get_all("Provides-Extra")
    )


def test_the_installed_command_helps(site: Path, tmp_path: Path) -> None:
    (wheel,) = site.parent.glob("*.whl")
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path / "installed"))
    subprocess.run([sys.executable, *install, str(wheel)], check=True, capture_output=True, cwd=tmp_path)
    command = str(tmp_path / "installed" / "bin" / "critnb")
    for words in ((command,), ("-m", "critnb")):
        said = run(tmp_path / "installed", *words, "--help", cwd=tmp_path)
        assert said.startswith("usage: ")
        assert "exit codes: 0 done" in said


def test_the_library_works(site: Path, tmp_path: Path) -> None:
    script = (
        "import critnb, json; found = critnb.branching([[0, 1, 1], [1, 0, 1]], null_replicates=5, bootstrap_reps=5);"
        "print(json.dumps([critnb.__file__, found.to_frame().set_index('name')['value'].to_dict()]))"
    )
    file, values = json.loads(run(site, "-c", script, cwd=tmp_path))
    assert Path(file).is_relative_to(site)
    # of three occupied sites with a next token one is followed, of two with a next layer one
    assert values["b_time"] == pytest.approx(1 / 2)
    assert values["b_depth"] == pytest.approx(1 / 2)


def test_it_plans_the_runs_that_the_source_tree_plans(site: Path, tmp_path: Path) -> None:
    plan = ("all", "--params", "base.yaml", "--dry-run")
    installed = run(site, "-m", "critnb", *plan, cwd=tmp_path).splitlines()
    runner = str(PACK_ROOT / "runner.py")
    tree = run(PACK_ROOT, runner, *plan, "--runs-dir", str(tmp_path / "runs"), cwd=tmp_path).splitlines()
    # a release holds the pack's tests and benchmarks where there are any, so its id alone differs
    assert [line for line in installed if "S08" not in line] == [line for line in tree if "S08" not in line]
    assert sum("RUN_" in line for line in installed) == 22


@pytest.mark.slow
def test_it_runs_a_stage_into_the_current_folder(site: Path, tmp_path: Path) -> None:
    run(site, "-m", "critnb", "phase1", *SMALL, cwd=tmp_path)
    (made,) = (tmp_path / "runs").glob("RUN_S01_*")
    sources = json.loads((made / "run_record.json").read_text())["hash_inputs"]["sources"]
    assert {name.partition("/")[0] for name in sources} == {"critnb"}
    run(site, "-m", "critnb", "verify", cwd=tmp_path)


def test_a_working_folder_of_it_has_its_own_params_and_runs(site: Path, tmp_path: Path) -> None:
    assert run(site, "-m", "critnb", "--version", cwd=tmp_path) == f"critnb {__version__}\n"
    run(site, "-m", "critnb", "init", "mine", cwd=tmp_path)
    folder = tmp_path / "mine"
    for name in ("notebooks", "params"):
        laid = {path.name: path.read_bytes() for path in (folder / name).iterdir()}
        assert laid == {path.name: path.read_bytes() for path in (site / "critnb" / "_pack" / name).iterdir()}
    mine = folder / "params" / "base.yaml"
    mine.write_text(mine.read_text().replace("n_calibration: 64", "n_calibration: 24"))
    first, second = (
        run(site, "-m", "critnb", "phase1", "--params", "base.yaml", "--dry-run", cwd=each)
        for each in (tmp_path, folder)
    )
    assert first != second
