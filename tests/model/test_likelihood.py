"""Likelihoods against what is known: uniform logits, hand-made ones, and transformers' own loss of many classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from models import ROWS_AND_VARIANTS, loaded, tiny, tiny_llama, tiny_loaded

from critnb.canon import Intervention, SpikeDef
from critnb.errors import NonFiniteError
from critnb.events import calibrate, extract
from critnb.model import logits as module
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.likelihood import WindowLikelihoods, predicted_tokens
from critnb.model.logits import Logits, logits_of

DEFS = tuple(SpikeDef)
TOKENS = np.random.default_rng(3).integers(1, 257, size=(7, 24))


def likelihoods(model, tokens=TOKENS, *, burn_in=0, batch_tokens=64, gain=1.0, units=None):
    """NLL [N] of the passes that a stage makes, the events of the same passes beside them."""
    passes = ForwardPasses(model, batch_tokens=batch_tokens, burn_in=burn_in)
    setting = Setting(gain=gain)
    read = WindowLikelihoods(len(tokens), setting, burn_in=burn_in)
    seen = [] if units is None else units
    passes.run(tokens, setting, lambda first, layer, u: seen.append((first, layer, *u.shape)), on_logits=read)
    assert passes.windows_run == len(tokens)
    return read.nll_mean


def window_nll(logits, tokens, *, burn_in):
    read = WindowLikelihoods(len(tokens), Setting(), burn_in=burn_in)
    read(0, tokens, Logits(0, 0, logits))
    return read.nll_mean


def own_loss(model, window):
    ids = torch.from_numpy(window)[None]
    with torch.inference_mode():
        return float(model.causal(input_ids=ids, labels=ids, use_cache=False).loss)


def test_uniform_logits_give_the_logarithm_of_the_vocabulary():
    for vocabulary in (2, 257, 50_257):
        logits = torch.full((2, 9, vocabulary), 3.25)
        found = window_nll(logits, torch.ones(2, 9, dtype=torch.long), burn_in=0)
        assert found == pytest.approx(np.full(2, math.log(vocabulary)), rel=1e-6)


def test_a_model_whose_head_knows_nothing_is_uniform():
    causal = tiny("gpt2", tie_word_embeddings=False)
    causal.lm_head.weight.data.zero_()
    assert likelihoods(loaded(causal)) == pytest.approx(np.full(7, math.log(257)), rel=1e-6)


def test_by_hand():
    # the second token has probability 1/4 after the first, the third 9/10 after the second; nothing predicts the first
    logits = torch.tensor([[[0.0, math.log(3.0)], [math.log(9.0), 0.0], [50.0, -50.0]]])
    tokens = torch.tensor([[1, 0, 0]])
    expected = -(math.log(1 / 4) + math.log(9 / 10)) / 2
    assert window_nll(logits, tokens, burn_in=0) == pytest.approx([expected], rel=1e-6)
    assert window_nll(logits, tokens, burn_in=1) == pytest.approx([expected], rel=1e-6)
    assert window_nll(logits, tokens, burn_in=2) == pytest.approx([-math.log(9 / 10)], rel=1e-6)


@pytest.mark.parametrize(("burn_in", "predicted"), [(0, 23), (1, 23), (2, 22), (22, 2)])
def test_how_many_tokens_are_predicted(burn_in, predicted):
    assert predicted_tokens(24, burn_in) == predicted


# capped (gemma2), scaled (cohere, granite, minicpm3) and plain heads, tied or not, the body called in more than one way (opt)
@pytest.mark.parametrize("name", [n for n in ROWS_AND_VARIANTS if ":" not in n])
def test_the_loss_of_transformers_is_the_same(name):
    model = tiny_loaded(name)
    expected = [own_loss(model, window) for window in TOKENS[:3]]
    assert likelihoods(model, TOKENS[:3]) == pytest.approx(expected, rel=2e-5)


def test_leaving_the_cap_or_scale_out_would_be_seen():
    for name, changes in (
        ("gemma2", {"final_logit_softcapping": 5.0}),
        ("cohere", {}),
        ("granite", {"logits_scaling": 3.0}),
    ):
        model = loaded(tiny(name, **changes))
        assert likelihoods(model) == pytest.approx([own_loss(model, window) for window in TOKENS], rel=2e-5)
        with torch.inference_mode():
            hidden = model.body(input_ids=torch.from_numpy(TOKENS)).last_hidden_state
            bare = window_nll(model.causal.get_output_embeddings()(hidden), torch.from_numpy(TOKENS), burn_in=0)
        assert np.abs(bare - likelihoods(model)).max() > 1e-3, name


# odd numbers of tokens: parts of a window with a rest, one window, several with a rest, all
@pytest.mark.parametrize("most_tokens", [1, 7, 23, 25, 71, 7 * 24])
@pytest.mark.parametrize("name", ["llama", "gemma2", "cohere", "granite", "opt", "gpt2"])
def test_logits_a_part_at_a_time_are_those_of_the_whole_batch(name, most_tokens):
    model, ids = tiny_loaded(name), torch.from_numpy(TOKENS)
    with torch.inference_mode():
        whole = model.causal(input_ids=ids, use_cache=False).logits
        parts = list(logits_of(model, ids, most=257 * most_tokens + 256))
    there = torch.full_like(whole, torch.nan)
    for part in parts:
        n, t = part.logits.shape[:2]
        there[part.window : part.window + n, part.token : part.token + t] = part.logits
    # OPT's head asks the decoder inside its body
    assert (len(parts) == 1) == (name == "opt" or most_tokens == 7 * 24)
    assert name == "opt" or max(part.logits.shape[0] * part.logits.shape[1] for part in parts) <= most_tokens
    # of a few tokens at a time, sums are made in another order
    torch.testing.assert_close(there, whole, rtol=1e-5, atol=1e-5)
    assert most_tokens < 24 or torch.equal(there, whole)


@pytest.mark.parametrize("burn_in", [0, 1, 9, 22])
def test_likelihoods_of_parts_are_those_of_whole_windows(burn_in, monkeypatch):
    model = tiny_loaded("llama")
    units = []
    whole = likelihoods(model, burn_in=burn_in, units=units)
    for most_tokens in (1, 5, 24, 60):
        monkeypatch.setattr(module, "MOST_LOGITS", 257 * most_tokens)
        again = []
        found = likelihoods(model, burn_in=burn_in, units=again)
        assert found == pytest.approx(whole, rel=1e-6)
        assert most_tokens < 24 or np.array_equal(found, whole)
        # the blocks run once a batch, whatever its parts
        assert again == units


@pytest.mark.parametrize("batch_tokens", [24, 100, 4096])
def test_the_batch_does_not_matter(batch_tokens):
    model = tiny_loaded("llama")
    expected = [own_loss(model, window) for window in TOKENS]
    assert likelihoods(model, batch_tokens=batch_tokens) == pytest.approx(expected, rel=2e-5)


def test_burn_in_leaves_out_the_first_predictions_but_not_their_context():
    model = tiny_loaded("llama")
    with torch.inference_mode():
        logits = model.causal(input_ids=torch.from_numpy(TOKENS)).logits.double().log_softmax(-1).numpy()
    rows, places = np.indices((7, 23))
    nll = -logits[rows, places, TOKENS[:, 1:]]
    assert likelihoods(model, burn_in=5) == pytest.approx(nll[:, 4:].mean(axis=1), rel=1e-5)


def test_a_gain_is_applied_as_in_every_other_pass():
    model = loaded(tiny_llama())
    handles = [
        block.mlp.register_forward_hook(lambda _m, _a, output: output * 1.3) for block in model.causal.model.layers
    ]
    expected = [own_loss(model, window) for window in TOKENS]
    for handle in handles:
        handle.remove()
    assert likelihoods(model, gain=1.3) == pytest.approx(expected, rel=2e-5)
    assert np.abs(likelihoods(model) - expected).max() > 1e-4


def test_events_are_those_of_a_pass_without_logits():
    model = loaded(tiny_llama())
    passes = ForwardPasses(model, batch_tokens=96)
    calibration = calibrate(passes, TOKENS)
    tau = np.full((2, 1, 3), 1.5)
    read = WindowLikelihoods(7, Setting(), burn_in=0)
    both = extract(passes, TOKENS, calibration, tau, DEFS, Setting(), on_logits=read)
    assert np.array_equal(both, extract(passes, TOKENS, calibration, tau, DEFS, Setting()))
    assert both.sum() > 0
    assert np.isfinite(read.nll_mean).all()


def test_activations_that_are_not_finite_are_named_also_at_the_last_token():
    model = loaded(tiny_llama())
    embedding = model.causal.get_input_embeddings().weight
    assert 256 not in TOKENS[:, :-1]
    tokens = TOKENS.copy()
    tokens[4, -1] = 256
    # tied to the head, so that the row is untied first
    model.causal.lm_head.weight = torch.nn.Parameter(embedding.detach().clone(), requires_grad=False)
    embedding[256] = float("inf")
    with pytest.raises(NonFiniteError, match=r"layer 0 are not finite at MLP_GLOBAL gain 0\.9; take that gain out"):
        likelihoods(model, tokens, gain=0.9)


def test_a_token_of_probability_zero_is_named_by_its_window():
    logits = torch.zeros(2, 4, 3)
    logits[1, 1, 2] = -torch.inf
    read = WindowLikelihoods(9, Setting(Intervention.MLP_GLOBAL, 1.1), burn_in=0)
    with pytest.raises(NonFiniteError, match=r"window 6 is not finite at MLP_GLOBAL gain 1\.1"):
        read(5, torch.full((2, 4), 2), Logits(0, 0, logits))
