"""The pack without the libraries of its extras: what still works, and what is refused before anything is computed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from critnb.canon import PACK_ROOT, Exit
from critnb.errors import DependencyError
from critnb.system import extras
from critnb.system.extras import EXPLORE, HUB, LARGE, PAPER
from critnb.verify.release import verify_release

ALL = {library: extra.name for extra in (PAPER, HUB, EXPLORE, LARGE) for library in extra.libraries}
# Python as it is where packages are not installed: nothing finds them
_WITHOUT = """
import sys

class Hiding:
    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, *rest):
        return None if name.partition(".")[0] in {hidden} else self._finder.find_spec(name, *rest)

    def __getattr__(self, name):
        return getattr(self._finder, name)

sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
"""
_COMMAND = "from critnb.cli.command_line import main; sys.exit(main(sys.argv[1:]))"
# modules that show widgets
_PANELS = ("controls", "explorer", "line", "live_knock_out", "live_panel", "raster", "slider", "view")
_WIDGETS = {f"critnb.explore.{name}" for name in _PANELS}
_IMPORTS = f"""
import importlib, pkgutil, critnb
for module in pkgutil.walk_packages(critnb.__path__, "critnb."):
    if module.name not in {_WIDGETS} | {{"critnb.__main__"}}:
        importlib.import_module(module.name)
print(sorted({set(ALL)} & set(sys.modules)))
"""


def without(hidden: set[str], script: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = _WITHOUT.replace("{hidden}", repr(hidden)) + script
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=PACK_ROOT, capture_output=True, text=True, check=False
    )


def test_the_extras_are_those_of_pyproject() -> None:
    asked = tomllib.loads((PACK_ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra in (PAPER, HUB, EXPLORE, LARGE):
        assert tuple(each.partition(">")[0] for each in asked[extra.name]) == extra.libraries


@pytest.mark.slow
def test_without_them_everything_but_the_widgets_can_be_imported() -> None:
    done = without(set(ALL), _IMPORTS)
    assert (done.stderr, done.stdout) == ("", "[]\n")


def test_without_them_a_plan_that_needs_none_is_made(tmp_path: Path) -> None:
    done = without(set(ALL), _COMMAND, "phase6", "--runs-dir", str(tmp_path), "--dry-run")
    assert (done.returncode, done.stderr) == (Exit.DONE, "")
    assert done.stdout.count("run: never ran") == 5


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_without_typst_a_plan_with_the_paper_is_refused(tmp_path: Path, more: tuple[str, ...]) -> None:
    done = without({"typst"}, _COMMAND, "all", "--runs-dir", str(tmp_path), *more)
    assert done.returncode == Exit.MISSING_DEPENDENCY
    assert done.stderr == "error: S07 writes a PDF with typst, which is not installed; pip install 'critnb[paper]'\n"
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])


def test_without_accelerate_a_model_that_is_to_be_divided_is_refused(tmp_path: Path) -> None:
    divided = ("--set", "compute.device_map=auto")
    done = without({"accelerate"}, _COMMAND, "phase1", "--runs-dir", str(tmp_path), *divided)
    assert done.returncode == Exit.MISSING_DEPENDENCY
    assert done.stderr == (
        "error: compute.device_map auto divides a model among devices with accelerate, which is not installed; "
        "pip install 'critnb[large]'\n"
    )
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])


@pytest.mark.parametrize("role", ["A", "ARC_MCQ"])
def test_without_datasets_a_source_of_the_hub_is_refused(tmp_path: Path, role: str) -> None:
    source = ("--set", f"data.{role}={{source: hub, id: some/texts, split: train}}")
    done = without({"datasets"}, _COMMAND, "all", "--runs-dir", str(tmp_path), *source)
    assert done.returncode == Exit.MISSING_DEPENDENCY
    assert done.stderr == (
        f"error: data.{role} reads a data set of the hub with datasets, which is not installed; pip install 'critnb[hub]'\n"
    )
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])


@pytest.mark.parametrize("name", ["Explorer", "raster_view"])
def test_without_widgets_the_explorer_is_refused_and_its_state_is_there(name: str) -> None:
    script = f"""
from critnb.errors import DependencyError
from critnb.explore import ExplorerState, find_chains
try:
    from critnb.explore import {name}
except DependencyError as error:
    print(error)
"""
    done = without({"anywidget", "ipywidgets"}, script)
    assert done.stderr == ""
    assert done.stdout == (
        f"critnb.explore.{name} shows widgets with anywidget and ipywidgets, which are not installed; "
        "pip install 'critnb[explore]'\n"
    )


def test_without_typst_a_release_is_checked_without_its_recomputation_only(tmp_path: Path, monkeypatch) -> None:
    zip_file = tmp_path / "release.zip"
    zip_file.write_bytes(b"no zip")
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "typst" else object())
    with pytest.raises(DependencyError, match=r"the check of a release writes a PDF with typst, .*critnb\[paper\]"):
        verify_release(zip_file, lambda _: None)
    assert len(verify_release(zip_file, lambda _: None, recompute=False)) == 1
