"""The registry is the one place where names are spelled: held against the YAML, and against every string in the code."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

import pytest
import yaml
from sourcecode import code_cells, literals, modules

from critnb.canon import (
    CANON,
    PACK_ROOT,
    SPEC_DIR,
    DatasetRole,
    Exit,
    Intervention,
    NullId,
    Registry,
    SpikeDef,
    Stage,
)
from critnb.contract import spec_of

REGISTRY = yaml.safe_load((SPEC_DIR / "00_CANONICAL.yaml").read_text())
FILE_NAMES = [*REGISTRY["OUTPUT"].values(), *REGISTRY["FIGURE"].values(), *REGISTRY["TABLE"].values()]
COMMANDS = list(REGISTRY["CLI"]["CMD"].values())
# A and B are names of arrays and labels of answers too, gstar is a field of gstar.json
NOT_ONLY_IDS = {"A", "B", "gstar"}
IDS = {name for names in REGISTRY["ENUM"].values() for name in names} - NOT_ONLY_IDS
# in prose (a caption, a message) an enum's id may be said; a file, a command or a stage is named through the registry
WHEREVER = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, [*FILE_NAMES, *COMMANDS, *REGISTRY["STAGE"]])) + r")(?!\w)")


def spelled_out(tree: ast.AST) -> list[tuple[int, str]]:
    return [(line, text) for line, text in literals(tree) if text in IDS or WHEREVER.search(text)]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACK_ROOT).as_posix())
def test_no_module_spells_a_name_of_the_registry(path):
    assert spelled_out(ast.parse(path.read_text())) == []


NOTEBOOKS = sorted((PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR).glob("*.ipynb"))


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem in COMMANDS], ids=lambda path: path.stem)
def test_a_notebook_names_its_own_stage_and_nothing_else(path):
    tree = code_cells(path)
    begun = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "begin"
    ]
    assert len(begun) == 1
    # what lies behind a table that is shown, by the name of a file that the stage leaves
    shown = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "file"
    ]
    left = {PurePosixPath(path).name for path in spec_of(Stage(begun[0])).outputs}
    named = [name for name in shown if WHEREVER.search(name)]
    assert set(named) <= left
    assert sorted(text for _, text in spelled_out(tree)) == sorted(begun + named)
    command = next(key for key, word in REGISTRY["CLI"]["CMD"].items() if word == path.stem)
    assert command.startswith(f"PHASE{begun[0][2]}_")


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem not in COMMANDS], ids=lambda path: path.stem)
def test_a_notebook_of_no_stage_names_nothing(path):
    assert spelled_out(code_cells(path)) == []


@pytest.mark.parametrize(
    "code",
    ['x = "gstar.json"', 'f"{folder}/run_record.json"', 'x = "MLP_GLOBAL"', 'run("S02", 3)', 'x = "phase2_gain_grid"',
     'raise E(f"{n}: run S02B again")', 'x = "table_T01_SUMMARY.csv"'],
)  # fmt: skip
def test_a_spelled_name_would_be_found(code):
    assert spelled_out(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        'def f():\n    """Write gstar.json."""',
        'x = "counts on A_cal, held out"',
        'x = "S020"',
        'x = "my_metrics.parquet"',
    ],
)
def test_docstrings_prose_and_other_words_are_free(code):
    assert not spelled_out(ast.parse(code))


def test_every_key_of_the_registry_can_be_looked_up():
    def leaves(tree, prefix):
        for key, value in tree.items():
            yield from leaves(value, f"{prefix}.{key}") if isinstance(value, dict) else [(f"{prefix}.{key}", value)]

    for reference, value in leaves(REGISTRY, "CANON"):
        found = CANON.lookup(reference)
        assert (list(found) if isinstance(found, tuple) else found) == value, reference


@pytest.mark.parametrize(
    "reference",
    [
        "CANON.",
        "CANON.CONST.",
        "CANON.CONST.NO_SUCH",
        "CANON.NO.EPS",
        "CANON.CONST.EPS.real",
        "CANON.lookup",
        "CANON.ENUM.X",
    ],
)
def test_lookup_of_what_is_not_there_names_the_reference(reference):
    with pytest.raises(KeyError, match=re.escape(reference)):
        CANON.lookup(reference)


@pytest.mark.parametrize("harm", [{"SURPRISE": {}}, {"STAGE": ["S00", "S99"]}, {"PROJECT": {"ID": "critnb"}}])
def test_a_registry_of_another_shape_is_refused(harm):
    with pytest.raises(ValueError, match="validation error"):
        Registry.model_validate({**REGISTRY, **harm})


def test_exit_codes_are_the_contract():
    assert {code.name: int(code) for code in Exit} == {
        "DONE": 0,
        "STAGE_FAILED": 1,
        "BAD_INPUT": 2,
        "MISSING_DEPENDENCY": 3,
        "RUN_EXISTS": 4,
        "INTERRUPTED": 130,
    }


def test_the_order_of_ids_stays():
    # places in these lists enter random seeds and the order of rows: another order gives other numbers
    assert list(DatasetRole) == ["A", "B", "ARC_MCQ"]
    assert list(SpikeDef) == ["SPIKE_ONE_SIDED_POS", "SPIKE_TWO_SIDED_ABS"]
    assert list(Intervention)[:2] == ["MLP_GLOBAL", "ATTN_GLOBAL"]
    assert next(iter(NullId)) == "NULL_NONE"
    assert list(Stage) == sorted(Stage, key=lambda stage: int(stage[1:3]))
