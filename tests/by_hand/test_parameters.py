"""Parameters that papermill passes on without a word, or that a person misspells, are refused by the notebook's first line."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import IPython
import pytest
from papermill.translators import PythonTranslator

import critnb
from critnb.errors import ParamsError
from critnb.pipeline.by_hand.parameters import unknown_parameters

OWN = 'params = "base.yaml"\noverrides = {}\nrun_dir = None'


def injected(**parameters: object) -> str:
    """The cell as papermill itself writes it."""
    return str(PythonTranslator.codify(parameters))


@pytest.mark.parametrize(
    ("cells", "unknown"),
    [
        ([OWN, injected(params="mine.yaml", overrides={"gain.grid": [1.0]})], []),
        ([OWN, injected(parms="mine.yaml")], [("parms", "params")]),
        ([OWN, injected(overides={"gain.grid": [1.0]}, seed=3)], [("overides", "overrides"), ("seed", None)]),
        # what a notebook that was changed meanwhile was run with before
        ([OWN, injected(parms="mine.yaml"), OWN, injected(params="mine.yaml")], []),
        ([OWN.replace("params", "parms")], [("parms", "params")]),
        # helpers of a person's own
        ([f"{OWN}\ngains = [0.9, 1.0]", "param_names = []"], []),
        (["params = (", "!ls"], []),
    ],
)
def test_what_is_no_parameter_of_a_stage_s_notebook(cells, unknown):
    assert list(unknown_parameters(["", *cells, "import critnb"])) == unknown


def test_a_stage_that_was_given_an_unknown_parameter_does_not_begin(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    shell = SimpleNamespace(user_ns={"In": ["", OWN, injected(parms="mine.yaml")]})
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    with pytest.raises(ParamsError, match=r"^parameter parms is not known; did you mean params\?\nkeys of the params"):
        critnb.begin("S01", overrides={"runs_dir": str(tmp_path / "runs")})
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"params": 3}, "^params: must be the path of a params file, found a number$"),
        ({"overrides": "gain.grid=[1.0]"}, "^overrides: must be a mapping of keys, found text\nwith papermill: -y "),
        ({"params": "smolm2-135m.yaml"}, r"did you mean smollm2-135m\.yaml\?$"),
    ],
)
def test_values_that_cannot_be_what_they_stand_for(words, said):
    with pytest.raises(ParamsError, match=said):
        critnb.begin("S01", **words)
