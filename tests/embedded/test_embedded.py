"""The embedded default: text, questions, the n-gram baseline, and models that are really trained."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from ngram import WittenBell
from transformers import AutoModelForCausalLM, AutoTokenizer

from critnb.canon import ModelRole
from critnb.data.embedded import WEIGHTS, corpora, questions, weights_directory


def test_the_corpora_are_disjoint():
    training = set(corpora.training_documents())
    assert not training & set(corpora.module_documents())
    topics = "\n".join(corpora.reference_documents())
    passages = [part for part in topics.split("\n\n") if len(part) > 200]
    everything = "\n".join(training)
    assert sum(passage in everything for passage in passages) == 0


def test_reference_passages_stand_once():
    passages = [" ".join(p.split()) for d in corpora.reference_documents() for p in d.split("\n\n")]
    long = [passage for passage in passages if len(passage) >= 80]
    assert len(long) == len(set(long)) > 500


def test_questions_have_one_right_answer_in_the_arc_schema():
    asked = questions.evaluation_questions()
    lines = {entry.name: entry.line for entry in questions.builtin_descriptions()}
    assert len(asked) > 150
    for question in asked:
        choices = question["choices"]
        assert len(set(choices["text"])) == 4
        assert choices["text"][choices["label"].index(question["answerKey"])] == lines[question["id"]]


def test_questions_are_the_same_every_time_and_spread_over_the_labels():
    asked = questions.evaluation_questions()
    assert asked == questions.evaluation_questions()
    counts = [sum(question["answerKey"] == label for question in asked) for label in questions.LABELS]
    assert min(counts) > len(asked) / 8


def test_held_out_names_never_share_their_last_part_with_training_names():
    every = questions.builtin_descriptions() + questions.python_descriptions()
    last = {held: {e.name.rpartition(".")[2] for e in every if e.held_out is held} for held in (True, False)}
    assert not last[True] & last[False]


def test_witten_bell_by_hand():
    """Text "abab": P1(a) = (2 + 2/256) / (4 + 2); after "a" came only "b", twice: P2(b|a) = (2 + P1(b)) / 3."""
    p1 = (2 + 2 / 256) / 6
    p2 = (2 + p1) / 3
    bits = WittenBell(b"abab", 2).bits_per_byte(b"ab")
    assert bits[0] == pytest.approx(-math.log2(p1))
    assert bits[1] == pytest.approx(-(math.log2(p1) + math.log2(p2)) / 2)


def test_witten_bell_is_a_distribution():
    model = WittenBell(b"the cat sat on the mat", 3)
    context = b"th"
    before = 2 * model.bits_per_byte(context)[-1]
    total = sum(2 ** (before - 3 * model.bits_per_byte(context + bytes([c]))[-1]) for c in range(256))
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("order", [0, 8])
def test_witten_bell_refuses_other_orders(order):
    with pytest.raises(ValueError, match="outside 1"):
        WittenBell(b"abc", order)


@pytest.mark.parametrize("role", list(ModelRole))
def test_cards_say_that_the_models_beat_the_baseline_clearly(role):
    card = json.loads((weights_directory(role) / "card.json").read_text())
    for name, baseline in card["byte_ngram_baseline"].items():
        assert card["measured"][name] < 0.8 * baseline


@pytest.mark.slow
def test_the_base_model_is_as_good_as_its_card_says():
    """Cross-entropy on the start of dataset A, computed here from logits, against what the card reports for all of it."""
    import torch

    directory = weights_directory(ModelRole.BASE)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    text = "\n\n".join(corpora.reference_documents())[:40_000]
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    windows = np.array(ids[: len(ids) // 256 * 256]).reshape(-1, 256)
    with torch.inference_mode():
        batch = torch.from_numpy(windows)
        logits = model(batch).logits[:, :-1].flatten(0, 1)
        nats = torch.nn.functional.cross_entropy(logits, batch[:, 1:].flatten(), reduction="sum").item()
    n_bytes = len(tokenizer.decode(windows[:, 1:].ravel()).encode())
    card = json.loads((directory / "card.json").read_text())["measured"]["bits_per_byte_A"]
    # windows without earlier context and another part of the text: near the card's number, far from the baseline's 2.4
    assert nats / math.log(2) / n_bytes == pytest.approx(card, abs=0.25)


def test_the_models_are_small_and_have_at_least_six_layers():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 8_000_000
    for role in ModelRole:
        config = json.loads((weights_directory(role) / "config.json").read_text())
        assert config["num_hidden_layers"] >= 6
        assert 1000 <= config["vocab_size"] <= 2048
