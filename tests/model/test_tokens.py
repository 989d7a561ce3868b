"""Tokens without an embedding: refused with both numbers before any pass, wherever tokens enter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import tiny_loaded

from critnb.canon import Exit
from critnb.errors import ModelError
from critnb.model import checks
from critnb.model.choices import ChoiceScorer, Continuations, EncodedQuestion
from critnb.model.forward import ForwardPasses, Setting

LAST = 256


def windows(*tokens: int) -> np.ndarray:
    return np.array([[1] * 8, [2] * (8 - len(tokens)) + list(tokens)])


def question(*tokens: int) -> EncodedQuestion:
    kind = Continuations(((1, 2, 3), (1, 2, *tokens)), start=2)
    return EncodedQuestion(kind, kind)


@pytest.fixture
def unused(monkeypatch):
    """The tiny Llama, of 257 embeddings, which must not be run."""
    model = tiny_loaded("llama")

    def runs(*_: object, **__: object) -> None:
        raise AssertionError("a forward pass was made")

    monkeypatch.setattr(type(model.causal), "forward", runs)
    monkeypatch.setattr(type(model.body), "forward", runs)
    return model


ENTRIES = {
    "windows": lambda model: ForwardPasses(model, batch_tokens=8).run(windows(257), Setting(), lambda *_: None),
    "checks": lambda model: checks.identity_deviation(model, windows(257)),
    "questions": lambda model: ChoiceScorer(model, batch_tokens=64).score([question(4), question(257)], 1.0),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_token_beyond_the_embeddings(unused, entry):
    with pytest.raises(ModelError) as caught:
        ENTRIES[entry](unused)
    first, remedy = str(caught.value).splitlines()
    assert first == "the tokenizer gives token id 257, the model has embeddings of 257 tokens (0 to 256)"
    assert "use the tokenizer of these weights" in remedy
    assert caught.value.exit_code is Exit.BAD_INPUT


def test_the_last_embedding_is_one():
    model = tiny_loaded("llama")
    ForwardPasses(model, batch_tokens=8).run(windows(LAST), Setting(), lambda *_: None)
    assert torch.equal(model.ids(windows(LAST)), torch.from_numpy(windows(LAST)))
    model.require_known([])


def test_rows_of_the_embedding_count_and_not_the_tokenizer_s_entries():
    model = tiny_loaded("llama")
    assert model.n_tokens == 257 == len(model.causal.get_input_embeddings().weight)
