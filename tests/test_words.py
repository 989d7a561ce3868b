"""What README and spec say exists, exists."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from pages import GENERATED, Generated, params_markdown
from sourcecode import modules

from critnb import params
from critnb.canon import CANON, DOCS_DIR, PACK_ROOT, SPEC_DIR, Exit
from critnb.cli.command_line import _parser
from critnb.errors import DataError, ParamsError
from critnb.model.architectures import known_model_types
from critnb.pipeline.by_hand.notebook_kernel import NUMERIC_VARIABLES
from critnb.pipeline.kernel import PASSED
from critnb.report.schema import SCHEMAS

PAGES = [path for folder in (PACK_ROOT, SPEC_DIR, DOCS_DIR) for path in sorted(folder.glob("*.md"))]
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
README = TEXT[PACK_ROOT / "README.md"]
SECTIONS = params.Params().sections()
# what a model directory of the hub holds; its names are the hub's and not the registry's
OF_THE_HUB = {"config.json"}
# what a reader is told to write
OF_THE_READER = {"params/mine.yaml"}

# what a scheduler gives a job
OF_A_SCHEDULER = {"SLURM_ARRAY_TASK_ID"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def inline(text: str) -> list[str]:
    """Everything in single backticks, fenced blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands(text: str) -> Iterator[str]:
    lines = [line.partition("#")[0].strip() for block in blocks(text, "bash") for line in block.splitlines()]
    for line in [*lines, *inline(text)]:
        if re.match(r"(python )?runner\.py (?!--help)", line):
            yield line.removeprefix("python ").replace("[", "").replace("]", "")


def cells(heading: str) -> list[list[str]]:
    """The inline code of each row's first cell, of the README's table whose first heading is this."""
    table = re.search(rf"^\| {heading} \|.*\n\| ---.*\n((?:\|.*\n)+)", README, flags=re.MULTILINE)
    assert table, heading
    return [inline(row.split("|")[1]) for row in table[1].splitlines()]


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


@every_page
def test_commands_parse(page):
    for command in commands(TEXT[page]):
        assert callable(_parser().parse_args(shlex.split(command)[1:]).handler), command


def test_the_readme_shows_commands():
    assert len(list(commands(README))) >= 4


def test_the_table_of_commands_is_complete():
    named = {words.split()[0] for row in cells("command") for words in row}
    assert named <= set(subparsers())
    assert {word for word in subparsers() if not word.startswith("phase")} <= named


def test_the_table_of_options_is_complete():
    options = [option for row in cells("option") for option in row]
    known = {word for action in subparsers()["all"]._actions for word in action.option_strings}
    short = {"-h", "--help", "--quiet", "--verbose"}
    assert {option.split()[0] for option in options} == known - short
    for option in options:
        assert _parser().parse_args(["all", *option.split()]).word == "all"


@pytest.mark.parametrize("block", blocks(README, "yaml"))
def test_params_of_the_readme_are_valid(block):
    assert params.validate(yaml.safe_load(block), origin="README")


@every_page
def test_links_between_pages_resolve(page: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT[page]):
        assert target.startswith("http") or (page.parent / target).exists(), target


@every_page
def test_paths_of_the_pack_exist(page):
    for path in inline(TEXT[page]):
        if re.match(r"(critnb|spec|params|notebooks|tests|benchmarks)/[\w./]*$", path):
            assert path in OF_THE_READER or (PACK_ROOT / path).exists(), path


@every_page
def test_file_names_are_the_registry_s(page):
    in_runs = set(CANON.OUTPUT.model_dump().values())
    beside = {
        path.name for folder in (PACK_ROOT, SPEC_DIR, PACK_ROOT / CANON.PATH.PARAMS_DIR) for path in folder.iterdir()
    }
    for name in inline(TEXT[page]):
        if re.fullmatch(r"\w+\.(npz|parquet|json|jsonl|yaml|md|py|lock|toml)", name):
            assert name in in_runs | beside | OF_THE_HUB | {path.name for path in modules()}, name


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_number_of_model_types_is_that_of_the_table(page):
    told = re.findall(r"(\d+) model types", TEXT[PACK_ROOT / page])
    assert told == [str(len(known_model_types()))]


@every_page
def test_modules_to_run_exist(page):
    for module in re.findall(r"python -m (critnb[\w.]*)", TEXT[page]):
        assert importlib.util.find_spec(module), module


@every_page
def test_params_keys_exist(page):
    for section, key in re.findall(rf"`(?:--set )?({'|'.join(SECTIONS)})\.(\w+)", TEXT[page]):
        module = PACK_ROOT / "critnb" / section / key
        assert key in SECTIONS[section] or module.is_dir() or module.with_suffix(".py").is_file(), f"{section}.{key}"


@every_page
def test_identifiers_are_the_registry_s(page):
    enums = {value for values in CANON.ENUM.values() for value in values}
    known = {*enums, *type(CANON.CONST).model_fields, *CANON.FIGURE.model_dump(), *CANON.TABLE.model_dump(), "RUN_ID"}
    known |= OF_A_SCHEDULER
    known |= {name.rstrip("*") for name in (*PASSED, *NUMERIC_VARIABLES)} | set(dict(CANON.CLI.CMD))
    known |= {
        name for path in modules() for name in re.findall(r"^([A-Z][A-Z_]+)\b.* = ", path.read_text(), re.MULTILINE)
    }
    for name in re.findall(r"(?<!\w)[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?!\w)", TEXT[page]):
        assert name in known or any(fnmatchcase(name, each) for each in PASSED), name


@every_page
def test_values_beside_constants_are_the_registry_s(page):
    """``NAME (value)`` and ``NAME = value``."""
    for name, value in re.findall(r"`?([A-Z][A-Z0-9_]+)`?(?: \(| = )(-?[\d.]+(?:e-?\d+)?)", TEXT[page]):
        if name in type(CANON.CONST).model_fields:
            assert float(value) == getattr(CANON.CONST, name), name


def test_the_page_on_records_names_every_field():
    fields = json.loads((SPEC_DIR / "run_record.schema.json").read_text())["properties"]
    table = re.search(r"^\| field \| meaning \|\n.*\n((?:\|.*\n)+)", TEXT[SPEC_DIR / "14_RUN_RECORD.md"], re.MULTILINE)
    named = re.findall(r"\w+", " ".join(row.split("|")[1] for row in table[1].splitlines()))
    assert sorted(named) == sorted(fields)


@every_page
def test_columns_exist(page):
    columns = {column.name for schema in SCHEMAS.values() for column in schema.columns}
    # a name that ends in an underscore is the beginning of several
    assert {name for name in re.findall(r"(?<!\w)opt_\w+", TEXT[page]) if not name.endswith("_")} <= columns


def test_the_readme_names_every_exit_code():
    listed = re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)
    assert [int(code) for code in listed] == sorted(int(code) for code in Exit)


@pytest.mark.parametrize("part", GENERATED, ids=lambda part: part.name)
def test_generated_parts_are_up_to_date(part: Generated):
    text = TEXT[part.page]
    assert part.renewed(text) == text, "run make pages"


def test_a_page_without_its_markers_is_named():
    with pytest.raises(DataError, match=r"13_PIPELINE_STAGES\.md.*stages: begin"):
        next(part for part in GENERATED if part.name == "stages").renewed("a page that somebody cleaned up")


def test_keys_of_params_are_told_with_values_default_and_readers():
    rows = params_markdown().splitlines()
    assert "| `windows.seq_len` | whole number ≥ 2 and < 2^31 | `256` | S00, S01, S02, S03, S04, S04K, S06B |" in rows
    assert "| `events.tau0` | number > 0 | `2.5` | S01, S02, S03, S04, S04K, S05, S06B |" in rows
    assert '| `analysis.adjacency` | `ADJ_4N`, `ADJ_8N` | `"ADJ_4N"` | S05 |' in rows
    assert '| `compute.device` | text | `"auto"` | no stage |' in rows
    forward = "S00, S01, S02, S03, S04, S04K, S06B, S06ARC"
    assert f"| `models.BASE`, `models.INSTRUCT` | `file` | `path`: text, required | {forward} |" in rows
    assert "| `data.A` | `embedded` | none | S00, S01, S02, S03, S04, S04K |" in rows
    assert "| `data.B` | `embedded` | none | S06B |" in rows
    assert "| `data.ARC_MCQ` | `embedded` | `limit`: whole number ≥ 1 and < 2^31 or null (`null`) | S06ARC |" in rows


def test_what_stages_read_is_said_by_the_tables_alone():
    before, _, rest = TEXT[SPEC_DIR / "15_PARAMS.md"].partition("<!-- params: begin -->")
    prose = before + rest.partition("<!-- params: end -->")[2]
    assert re.findall(r"\bS\d\d\w*|\byet\b|params/\w+\.yaml", prose) == []


KEY_ROWS = [row.strip("| ").split(" | ")[:2] for row in params_markdown().split("\n\n")[0].splitlines()[2:]]


def accepted(key: str, value: object) -> bool:
    section, name = key.strip("`").split(".")
    roomy = {"windows": {"seq_len": 2**31 - 1}, "compute": {"engine": "dask"}}
    try:
        params.validate({**roomy, section: {**roomy.get(section, {}), name: value}}, origin="test")
    except ParamsError:
        return False
    return True


@pytest.mark.parametrize(("key", "values"), KEY_ROWS, ids=[key for key, _ in KEY_ROWS])
def test_every_value_that_the_page_allows_is_accepted_and_none_beyond(key, values):
    if choices := re.findall(r"`(\w+)`", values):
        needed = {"MLP_GLOBAL"} & set(choices)
        listed = values.startswith("list")
        assert all(accepted(key, sorted({*needed, one}) if listed else one) for one in choices)
        assert not accepted(key, ["another"] if listed else "another")
    elif bounds := re.fullmatch(r"whole number ≥ (\d+) and < 2\^(\d+)( or null)?", values):
        # hidden tokens leave two of a window, which is shorter than 2^31 itself
        least, most = int(bounds[1]), 2 ** int(bounds[2]) - (3 if "burn_in" in key else 1)
        assert [accepted(key, value) for value in (least - 1, least, most, most + 1)] == [False, True, True, False]
        assert not any(accepted(key, value) for value in (least + 0.5, str(least), True))
        assert accepted(key, None) is (bounds[3] is not None)
    elif values == "number > 0":
        assert [accepted(key, value) for value in (0.0, 1e-9, 5, float("inf"))] == [False, True, True, False]
    elif values == "list of number > 0 and < 1":
        assert [accepted(key, [value]) for value in (0.0, 1e-9, 0.9, 1.0)] == [False, True, True, False]
    elif values == "list of number ≥ 0":
        assert [accepted(key, [1.0, value]) for value in (-1e-9, 0, 5.0)] == [False, True, True]
    else:
        assert values in ("text", "text or null", "list of text")
        assert accepted(key, {"list of text": ["a"], "text": "cpu", "text or null": None}[values])
        assert not accepted(key, 5)


def test_every_key_of_params_has_its_row():
    plain = {f"`{name}.{key}`" for name, keys in SECTIONS.items() if name not in ("models", "data") for key in keys}
    assert plain <= {row.split(" | ")[0].removeprefix("| ") for row in params_markdown().splitlines()}
