"""docs/RECIPES.md, block by block as a user would run it: in a fresh copy of the pack, on a small model of one's own."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import forks
import pytest
import yaml
from packs import copied

from critnb import params
from critnb.canon import CANON, DOCS_DIR, PACK_ROOT

pytestmark = pytest.mark.slow
PAGE = (DOCS_DIR / "RECIPES.md").read_text(encoding="utf-8")
TITLES = re.findall(r"^## (.+)$", PAGE, flags=re.MULTILINE)
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_ALIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Step:
    """A block that runs, and what the page says it prints."""

    language: str
    source: str
    expected: str | None


def blocks(title: str) -> list[tuple[str, str]]:
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [(language, body) for language, body in _FENCED.findall(section)]


def steps(title: str) -> list[Step]:
    found = blocks(title)
    following = [*found[1:], ("", "")]
    return [
        Step(language, source, then if kind == "text" else None)
        for (language, source), (kind, then) in zip(found, following, strict=True)
        if language in ("python", "bash")
    ]


@pytest.fixture(scope="module")
def pack(whole, inputs, tmp_path_factory) -> Path:
    """A copy of the pack with a model, a text and params of its user's, and runs of which S05 is still to be made."""
    root = tmp_path_factory.mktemp("pack") / "critnb"
    root.mkdir()
    for name in ("critnb", "spec", *(CANON.PATH.NOTEBOOKS_DIR, CANON.PATH.PARAMS_DIR, CANON.PATH.PAPER_DIR)):
        copied(PACK_ROOT / name, root / name, without="weights")
    shutil.copy(PACK_ROOT / "runner.py", root)
    shutil.copytree(inputs / "model", root / "models" / "my-llama")
    (root / "text").mkdir()
    shutil.copy(inputs / "corpus.txt", root / "text")
    shutil.copytree(whole, root / CANON.PATH.RUNS_DIR)
    mine = yaml.safe_load((inputs / "params.yaml").read_text())
    mine["models"]["BASE"]["path"] = "../models/my-llama"
    mine["data"]["A"]["path"] = "../text/*.txt"
    del mine["data"]["B"], mine["data"]["ARC_MCQ"]
    mine["analysis"]["tail_replicates"] = 20  # only S05 reads it
    (root / CANON.PATH.PARAMS_DIR / "mine.yaml").write_text(yaml.safe_dump(mine))
    return root


@pytest.fixture(scope="module")
def printed(pack) -> dict[Step, str]:
    """What every block of the page prints, run in the order of the page."""
    with forks.Forks(pack) as server:
        return {step: _run(step, pack, server) for title in TITLES for step in steps(title)}


def _run(step: Step, pack: Path, server: forks.Forks) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(pack), "PYTHONWARNINGS": "default"}
    if step.language == "python":
        done = forks.python("-c", step.source, cwd=pack, env=environment, server=server)
    else:
        shell = ["bash", "-euo", "pipefail", "-c", step.source]
        done = subprocess.run(shell, cwd=pack, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{step.source}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_there_are_ten_recipes_and_each_runs_something():
    assert [title.partition(".")[0] for title in TITLES] == [str(number) for number in range(1, 11)]
    assert all(steps(title) for title in TITLES)


@pytest.mark.parametrize("title", TITLES)
def test_a_recipe_prints_what_the_page_says(printed, title):
    for step in steps(title):
        if step.expected is not None:
            alike = doctest.OutputChecker().check_output(step.expected, printed[step], _ALIKE)
            assert alike, f"{step.source}\nprinted\n{printed[step]}\nthe page says\n{step.expected}"


def test_what_one_recipe_prints_is_not_what_the_page_says_of_another(printed):
    """That is, no ``...`` of the page stands for everything."""
    told = {step.expected for title in TITLES for step in steps(title) if step.expected is not None}
    for step, output in printed.items():
        for other in told - {step.expected}:
            assert not doctest.OutputChecker().check_output(other, output, _ALIKE), f"{output}\nas\n{other}"


def test_a_branching_ratio_that_is_not_printed_would_be_found(printed):
    (step,) = (step for step in steps(TITLES[1]) if step.language == "python" and "b_time" in (step.expected or ""))
    for name in ("b_time", "b_depth", "b_tot", "b_tot_shift", "chi"):
        lines = printed[step].splitlines(keepends=True)
        without = "".join(line for line in lines if line.split()[:1] != [name])
        assert len(without) < len(printed[step])
        assert not doctest.OutputChecker().check_output(step.expected, without, _ALIKE), name


def test_every_run_of_a_stage_is_opened_by_role():
    for page in (PAGE, (PACK_ROOT / "README.md").read_text(encoding="utf-8")):
        asked = re.findall(r'open_run\("S\w+"([^)]*)\)', page)
        assert asked
        assert all('role="BASE"' in words for words in asked)


def test_params_of_the_page_are_valid():
    shown = [body for title in TITLES for language, body in blocks(title) if language == "yaml"]
    assert shown
    for body in shown:
        assert params.validate(yaml.safe_load(body), origin="RECIPES")


def test_a_figure_was_exported(printed, pack):
    assert (pack / "branching.pdf").read_bytes().startswith(b"%PDF")
