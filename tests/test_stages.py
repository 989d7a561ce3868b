"""The stage table: words to stages, needs to order, and the constants of the registry that each stage's code reads."""

from __future__ import annotations

import ast
import re

import pytest

from critnb import contract
from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import STAGES, named, spec_of, upstream_closure
from critnb.contract.code import stage_constants, stage_sources
from critnb.errors import ParamsError


@pytest.mark.parametrize("spec", STAGES, ids=lambda spec: spec.id)
def test_constants_of_the_registry_that_the_code_names_are_hashed(spec):
    text = "".join(ast.unparse(ast.parse((PACK_ROOT / path).read_text())) for path in stage_sources(spec))
    hashed = stage_constants(spec)
    assert set(hashed) == set(re.findall(r"(?<=CONST\.)[A-Z0-9_]+", text))
    assert all(CANON.lookup(f"CANON.CONST.{name}") == value for name, value in hashed.items())


def test_constants_are_named_in_the_form_that_the_hash_looks_for():
    """A constant read under another name, such as ``const.EPS``, would change numbers without changing a run's id."""
    names = set(type(CANON.CONST).model_fields)
    astray = [
        f"{path.name}:{node.lineno} {ast.unparse(node)}"
        for path in (PACK_ROOT / "critnb").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in names and not ast.unparse(node.value).endswith("CONST")
    ]
    assert astray == []


def test_eps_is_a_constant_of_the_stages_that_compute_z():
    with_eps = {spec.id for spec in STAGES if "EPS" in stage_constants(spec)}
    assert with_eps == {Stage.S01, Stage.S02, Stage.S03, Stage.S04, Stage.S06B}
    assert "CHI_EPS" in stage_constants(spec_of(Stage.S05))


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("phase0", ["S00"]),
        ("phase2", ["S02", "S02B"]),
        ("phase2_gain_grid", ["S02"]),
        ("S02B", ["S02B"]),
        ("s05", ["S05"]),
        ("all", ["S00", "S01", "S02", "S02B", "S03", "S04", "S05", "S06B", "S06ARC", "S07", "S08"]),
    ],
)
def test_a_word_names_its_stages_in_order(word, ids):
    assert [spec.id for spec in named(word)] == ids


@pytest.mark.parametrize("word", ["phase9", "phase", "", "S99", "phase2_gain"])
def test_an_unknown_word_is_one_line_that_says_what_there_is(word):
    with pytest.raises(ParamsError, match=re.escape(f"no stage is called {word!r}; choose phase0, phase1, ")) as caught:
        named(word)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("phase0", ["S00"]),
        ("phase1", ["S01"]),
        ("S02B", ["S01", "S02", "S02B"]),
        ("phase3", ["S01", "S02", "S02B", "S03"]),
        ("phase5", ["S00", "S01", "S02", "S02B", "S03", "S04", "S05"]),
        ("S06B", ["S01", "S02", "S02B", "S06B"]),
        ("S06ARC", ["S01", "S02", "S02B", "S06ARC"]),
    ],
)
def test_the_closure_is_everything_upstream_in_order(word, ids):
    assert [spec.id for spec in upstream_closure(named(word))] == ids


def test_the_table_agrees_with_the_contract():
    contract = {
        "S00": [],
        "S01": [],
        "S02": ["S01"],
        "S02B": ["S02"],
        "S03": ["S01", "S02", "S02B"],
        "S04": ["S01", "S02", "S03"],
        "S05": ["S00", "S02", "S02B", "S03", "S04"],
        "S06B": ["S01", "S02", "S02B"],
        "S06ARC": ["S02B"],
        "S07": ["S05", "S06B", "S06ARC"],
        # a release carries the checks of its models too
        "S08": ["S00", "S07"],
    }
    assert {spec.id: list(spec.needs) for spec in STAGES} == contract
    assert {spec.command for spec in STAGES} <= set(dict(CANON.CLI.CMD).values())
    assert all((PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec.notebook).is_file() for spec in STAGES)


def test_every_stage_needs_only_what_stands_above_it():
    for place, spec in enumerate(STAGES):
        assert set(spec.needs) <= {above.id for above in STAGES[:place]}


def test_analysis_and_selection_load_no_model():
    assert [spec.id for spec in STAGES if not spec.uses_model] == [Stage.S02B, Stage.S05, Stage.S07, Stage.S08]
    assert not any(spec.data for spec in STAGES if not spec.uses_model)


def test_the_table_holds_every_stage():
    assert tuple(spec.id for spec in STAGES) == tuple(Stage)
    assert contract.spec_of(Stage.S02).phase == "phase2"
