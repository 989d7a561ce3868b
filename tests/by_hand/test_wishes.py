"""What overrides of a notebook mean: keys of the params, and words for options."""

from __future__ import annotations

import pytest

from critnb.canon import CANON, PACK_ROOT, ModelRole
from critnb.errors import ParamsError
from critnb.params import Params
from critnb.pipeline.by_hand.notebook_options import Wishes


def test_without_a_word_everything_is_as_on_the_command_line():
    wishes = Wishes.of({"gain.grid": [1.0], "windows": {"seq_len": 64}})
    assert wishes == Wishes({"gain.grid": [1.0], "windows": {"seq_len": 64}})
    assert wishes.runs_dir == PACK_ROOT / CANON.PATH.RUNS_DIR
    embedded = {"source": "embedded"}
    both = Params.model_validate({"models": {"INSTRUCT": embedded, "BASE": embedded}})
    assert wishes.roles(both) == [ModelRole.BASE]
    assert wishes.roles(Params.model_validate({"models": {"INSTRUCT": embedded}})) == [ModelRole.INSTRUCT]


def test_words_are_no_params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wishes = Wishes.of({"role": "INSTRUCT", "runs_dir": "here", "strict": True, "verbose": False, "gain.grid": [1.0]})
    assert wishes == Wishes({"gain.grid": [1.0]}, ModelRole.INSTRUCT, tmp_path / "here", strict=True)
    assert wishes.roles(Params()) == [ModelRole.INSTRUCT]


@pytest.mark.parametrize("wrong", [{"role": 3}, {"role": "base"}, {"runs_dir": 1}, {"strict": "yes"}, {"verbose": 1}])
def test_a_word_that_cannot_be_used_is_named(wrong):
    with pytest.raises(ParamsError, match=f"^overrides: {next(iter(wrong))}: "):
        Wishes.of(wrong)
