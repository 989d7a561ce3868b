from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from critnb.canon import PACK_ROOT, Stage
from critnb.errors import DependencyError
from critnb.runs import (
    HashInputs,
    explain,
    hash_inputs,
    phase_id,
    run_id,
    stage_hash,
    stage_of,
)

INPUTS = {
    "stage": Stage.S02,
    "sections": {"events": {"tau0": 2.5, "target_rates": [1e-5, 2e-5]}, "gain": {"grid": [0.7, 1.0]}},
    "upstream": {Stage.S01: "RUN_S01_0123456789ab"},
    "notebook": b'[["code","x"]]',
    "sources": {"critnb/canon.py": "a" * 64},
}
CHANGES = [
    {"stage": Stage.S03},
    {"sections": {**INPUTS["sections"], "events": {"tau0": 2.6, "target_rates": [1e-5, 2e-5]}}},
    {"sections": {"events": INPUTS["sections"]["events"]}},
    {"sections": {**INPUTS["sections"], "events": {"tau0": 2.5, "target_rates": [2e-5, 1e-5]}}},
    {"upstream": {Stage.S01: "RUN_S01_0123456789ac"}},
    {"upstream": {}},
    {"notebook": b'[["code","y"]]'},
    {"sources": {"critnb/canon.py": "b" * 64}},
    {"sources": {"critnb/errors.py": "a" * 64}},
]


def test_the_hash_is_sha256_of_canonical_json() -> None:
    # The text is written out by hand: it is the contract that other tools may recompute a run id by.
    notebook, sources = hashlib.sha256(b'[["code","x"]]').hexdigest(), "a" * 64
    sections = '{"events":{"target_rates":[1e-05,2e-05],"tau0":2.5},"gain":{"grid":[0.7,1.0]}}'
    text = (
        f'{{"notebook_sha256":"{notebook}","sections":{sections},"sources":{{"critnb/canon.py":"{sources}"}},'
        '"stage":"S02","upstream":{"S01":"RUN_S01_0123456789ab"}}'
    )
    assert stage_hash(**INPUTS) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("change", CHANGES)
def test_every_input_changes_the_id(change: dict) -> None:
    assert hash_inputs(**INPUTS | change).run_id() != hash_inputs(**INPUTS).run_id()


def test_the_order_of_keys_does_not_matter() -> None:
    turned = {**INPUTS, "sections": dict(reversed(INPUTS["sections"].items()))}
    assert stage_hash(**turned) == stage_hash(**INPUTS)


@pytest.mark.slow
def test_the_id_depends_on_no_place_time_or_process(tmp_path: Path) -> None:
    code = (
        "from critnb.runs import *\nfrom critnb.canon import Stage\n"
        "print(hash_inputs(stage=Stage.S02, sections={'a': {'b': 0.1}}, upstream={}, notebook=b'',"
        " sources={'critnb/gates.py': 'a' * 64}).run_id())"
    )
    there = {
        **os.environ,
        "HOME": str(tmp_path),
        "TZ": "Asia/Tokyo",
        "PYTHONHASHSEED": "7",
        "PYTHONPATH": str(PACK_ROOT),
    }
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=tmp_path, env=there, capture_output=True, text=True, check=True).stdout
    sources = {"critnb/gates.py": "a" * 64}
    here = hash_inputs(stage=Stage.S02, sections={"a": {"b": 0.1}}, upstream={}, notebook=b"", sources=sources)
    assert found == f"{here.run_id()}\n"


def test_run_ids() -> None:
    made = run_id(Stage.S06ARC, "0123456789abcdef" * 4)
    assert made == "RUN_S06ARC_0123456789ab"
    assert stage_of(made) is Stage.S06ARC
    assert [phase_id(stage) for stage in (Stage.S00, Stage.S02B, Stage.S06ARC)] == ["phase0", "phase2", "phase6"]


@pytest.mark.parametrize("text", ["RUN_S99_0123456789ab", "RUN_S02_", "RUN_S02_../x", "x", "RUN_S02_ab.partial"])
def test_other_text_is_no_run_id(text: str) -> None:
    with pytest.raises(DependencyError, match="is no run id"):
        stage_of(text)


def test_hash_inputs_round_trip_through_json() -> None:
    inputs = hash_inputs(**INPUTS)
    back = HashInputs.from_dict(Stage.S02, json.loads(json.dumps(inputs.as_dict())))
    assert back == inputs
    assert back.stage_hash() == stage_hash(**INPUTS)


def test_explain_names_what_changed() -> None:
    new = {
        "stage": Stage.S02,
        "sections": {"events": {"tau0": 3.0, "target_rates": [1e-5, 2e-5]}, "nulls": {"seed": 1}},
        "upstream": {Stage.S01: "RUN_S01_ba9876543210"},
        "notebook": b"[]",
        "sources": {"critnb/errors.py": "c" * 64},
    }
    assert explain(hash_inputs(**INPUTS), hash_inputs(**new)) == [
        "events.tau0: 2.5 -> 3.0",
        "nulls.seed: absent -> 1",
        "gain.grid: [0.7,1.0] -> absent",
        "upstream S01: RUN_S01_0123456789ab -> RUN_S01_ba9876543210",
        "the notebook's source changed",
        "source critnb/canon.py removed",
        "source critnb/errors.py added",
    ]
    assert explain(hash_inputs(**INPUTS), hash_inputs(**INPUTS)) == []


@pytest.mark.parametrize("change", CHANGES[1:])
def test_explain_is_silent_for_no_change_of_the_id(change: dict) -> None:
    assert explain(hash_inputs(**INPUTS), hash_inputs(**INPUTS | change)) != []
