"""The gates on what a tokenizer loses: functions of the stored counts alone, at the bound of one per cent and past it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from critnb.canon import PACK_ROOT
from critnb.gates import Verdict
from critnb.stages.shared import token_shares

COUNTS = {
    "n_texts": 3,
    "n_chars": 1000,
    "n_dropped": 0,
    "n_tokens": 400,
    "n_unk": 0,
    "unk_token": "<unk>",
    "dropped_most": [],
}


def verdicts(**changes: Any) -> list[Verdict]:
    return [gate.verdict for gate in token_shares.gates({"A": {**COUNTS, **changes}})]


PASS, FAIL = Verdict.PASS, Verdict.FAIL


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [PASS, PASS]),
        ({"n_dropped": 10}, [PASS, PASS]),
        ({"n_dropped": 11}, [FAIL, PASS]),
        ({"n_unk": 4}, [PASS, PASS]),
        ({"n_unk": 5}, [PASS, FAIL]),
        ({"n_chars": 0, "n_tokens": 0}, [Verdict.NOT_AVAILABLE] * 2),
    ],
)
def test_at_most_one_per_cent_may_be_lost(changes, expected):
    assert verdicts(**changes) == expected


def test_the_gate_shows_which_characters_were_dropped_most_often():
    lost = [["\n", 30], ["é", 20], *([letter, 1] for letter in "abcdef")]
    dropped, unknown = token_shares.gates({"B": {**COUNTS, "n_dropped": 56, "dropped_most": lost}})
    assert dropped.name == "characters of B that the tokenizer drops"
    assert dropped.value == "5.600%"
    assert dropped.reason == r"most often '\n' 30, 'é' 20, 'a' 1, 'b' 1, 'c' 1"
    assert unknown.reason == "the unknown token is <unk>"


def test_stored_counts_give_the_same_gates():
    shares = {"A": {**COUNTS, "n_dropped": 20, "dropped_most": [["z", 15], ["a", 5]]}}
    assert token_shares.gates(json.loads(json.dumps(shares, sort_keys=True))) == token_shares.gates(shares)


def test_no_torch_is_loaded_to_judge():
    script = "import sys\nfrom critnb.stages.shared import token_shares\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=PACK_ROOT, timeout=60)
