"""What README and spec say exists, exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from critnb import params
from critnb.canon import CANON, PACK_ROOT, SPEC_DIR, Exit
from critnb.cli import _parser
from critnb.stages import markdown

PAGES = [PACK_ROOT / "README.md", PACK_ROOT / "CHANGELOG.md", *sorted(SPEC_DIR.glob("*.md"))]
README = (PACK_ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.partition("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    inline = re.findall(r"`python (runner\.py [^`]+)`", README)
    return [*(line.removeprefix("python ") for line in lines if "runner.py" in line), *inline]


@pytest.mark.parametrize("command", [c for c in commands() if "--help" not in c])
def test_commands_of_the_readme_parse(command):
    arguments = _parser().parse_args(shlex.split(command)[1:])
    assert callable(arguments.handler)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_params_of_the_readme_are_valid(block):
    assert params.validate(yaml.safe_load(block), origin="README")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_readme_names_every_exit_code():
    listed = re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)
    assert [int(code) for code in listed] == sorted(int(code) for code in Exit)


def test_spec_13_prints_the_stage_table():
    assert markdown() in (SPEC_DIR / "13_PIPELINE_STAGES.md").read_text(encoding="utf-8")


def test_base_params_state_the_run_layout_of_the_readme():
    assert f"`{CANON.PATH.RUNS_DIR}/`" in README
    assert (PACK_ROOT / CANON.PATH.PARAMS_DIR / "base.yaml").is_file()
