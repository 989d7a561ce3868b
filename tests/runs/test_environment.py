from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

import critnb
from critnb.canon import PACK_ROOT
from critnb.runs import code_facts, environment_facts, not_in_git
from critnb.runs import environment as environment_module

SOURCES = {"critnb/canon.py": "0" * 64}


def test_environment_names_this_interpreter_and_its_packages() -> None:
    facts = environment_facts()
    assert facts["python"] == platform.python_version()
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["cpu"]
    assert facts["cpu_count"] == os.cpu_count()


def _git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if shutil.which("git") is None:
        pytest.skip("no git")
    root = tmp_path.resolve() / "pack"
    root.mkdir()
    _git(root, "init", "-q")
    (root / "a.py").write_text("1")
    _git(root, "add", "a.py")
    _git(root, "commit", "-q", "-m", "first")
    monkeypatch.setattr(environment_module, "PACK_ROOT", root)
    return root


def test_code_facts_of_a_clean_and_a_dirty_checkout(repository: Path) -> None:
    clean = code_facts(SOURCES)
    assert clean["git_commit"] == _git(repository, "rev-parse", "HEAD")
    assert clean["dirty"] is False
    (repository / "a.py").write_text("2")
    assert code_facts(SOURCES) == clean | {"dirty": True}


def test_what_an_editor_saves_of_a_notebook_is_no_change(repository: Path) -> None:
    path = repository / "notebooks" / "é.ipynb"
    path.parent.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("é = 1")])
    nbformat.write(notebook, path)
    assert code_facts(SOURCES)["dirty"] is True
    _git(repository, "add", "notebooks")
    _git(repository, "commit", "-q", "-m", "second")
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="shown")]
    nbformat.write(notebook, path)
    assert code_facts(SOURCES)["dirty"] is False
    notebook.cells[0].source = "é = 2"
    nbformat.write(notebook, path)
    assert code_facts(SOURCES)["dirty"] is True
    path.unlink()
    assert code_facts(SOURCES)["dirty"] is True


def test_variables_and_settings_of_git_change_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of git sets GIT_DIR, which would give the pack another repository's commit."""
    (repository / "new.py").write_text("not committed")
    before = code_facts(SOURCES)
    other = tmp_path / "other"
    other.mkdir()
    _git(other, "init", "-q")
    _git(other, "commit", "-q", "--allow-empty", "-m", "another")
    (tmp_path / "gitconfig").write_text("[status]\n\tshowUntrackedFiles = no\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert code_facts(SOURCES) == before
    assert before["dirty"] is True


def test_what_sets_the_number_of_threads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    facts = environment_facts()
    assert facts["threads"]["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in facts["threads"]
    assert 1 <= facts["cpus_allowed"] <= facts["cpu_count"]


@pytest.mark.slow
@pytest.mark.parametrize("package", ["papermill", "mine"])
def test_a_package_in_front_of_an_installed_one_is_refused(tmp_path: Path, package: str) -> None:
    """The record would name the version of the one that was not used."""
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACK_ROOT), str(tmp_path)])}
    command = [sys.executable, "-c", "import critnb.runs as runs; runs.environment_facts()"]
    said = subprocess.run(command, capture_output=True, text=True, env=environment).stderr
    ours = f"DependencyError: papermill would be imported from {tmp_path / 'papermill' / '__init__.py'}, not from "
    assert (ours in said, "take that folder off PYTHONPATH" in said) == ((package == "papermill"),) * 2
    assert bool(said) is (package == "papermill")


def test_files_that_git_does_not_keep_are_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / ".gitignore").write_text("*.log\n")
    for name in ("b é.py", "x.log"):
        (repository / name).write_text("")
    assert not_in_git(["a.py", "b é.py", "x.log"]) == ["b é.py", "x.log"]
    inner = repository / "unpacked"
    inner.mkdir()
    monkeypatch.setattr(environment_module, "PACK_ROOT", inner)
    assert not_in_git(["a.py"]) is None


def test_another_repository_around_the_pack_is_not_its_own(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = repository / "unpacked"
    inner.mkdir()
    monkeypatch.setattr(environment_module, "PACK_ROOT", inner)
    facts = code_facts(SOURCES)
    assert (facts["git_commit"], facts["dirty"]) == ("no_git_metadata", None)
    assert facts["version"] == critnb.__version__


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert code_facts(SOURCES)["git_commit"] == "no_git_metadata"


@pytest.mark.slow
def test_the_run_store_is_light() -> None:
    code = "import critnb.runs, sys; print(sorted({'torch', 'papermill', 'matplotlib', 'scipy', 'jsonschema'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(PACK_ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_the_peak_of_memory_counts_what_was_held_and_let_go():
    code = (
        "from critnb.runs import peak_memory; before = peak_memory(); held = bytearray(300_000_000); del held;"
        "print(peak_memory() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 250_000_000 < int(done.stdout) < 350_000_000
