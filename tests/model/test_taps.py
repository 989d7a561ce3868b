"""Taps, gain and the two model checks, on a tiny model of the real class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import loaded, tiny_llama
from transformers import LlamaConfig

from critnb.canon import Intervention
from critnb.errors import ModelError, NonFiniteError
from critnb.model.checks import identity_deviation, linearity, unit_reading_deviation
from critnb.model.discovery import find_taps
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.taps import Taps, TapSource, gain_applied, reading_units, scaled_layers


@pytest.fixture
def model():
    return loaded(tiny_llama())


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(0, 257, size=(3, 20))


def with_taps(model, **changes):
    layers = tuple(replace(layer, **{k: change(layer) for k, change in changes.items()}) for layer in model.taps.layers)
    return replace(model, taps=Taps(layers, model.taps.n_units))


def test_a_sound_model_passes_every_check(model, tokens):
    assert identity_deviation(model, tokens) == 0.0
    assert unit_reading_deviation(model, tokens) == 0.0
    checked = linearity(model, tokens)
    assert [layer.layer for layer in checked] == [0, 1, 2]
    assert all(layer.passed for layer in checked)


@pytest.mark.parametrize(
    "wrong",
    [lambda layer: layer.attention, lambda layer: layer.block.mlp.up_proj, lambda layer: layer.block.input_layernorm],
    ids=["attention", "inside the MLP", "norm"],
)
def test_a_gain_in_the_wrong_place_fails_the_linearity_check(model, tokens, wrong):
    wrongly = with_taps(model, mlp=wrong)
    assert not any(layer.passed for layer in linearity(wrongly, tokens)[:2])


def test_a_contribution_that_is_not_there_fails_the_linearity_check(model, tokens):
    with torch.no_grad():
        model.causal.model.layers[1].mlp.down_proj.weight.zero_()
    assert [layer.passed for layer in linearity(model, tokens)] == [True, False, True]


def test_hooks_are_gone_afterwards_also_after_an_error(model, tokens):
    ids = torch.from_numpy(tokens)
    before = model.causal(ids).logits
    gained = gain_applied(model.taps, Intervention.MLP_GLOBAL, 0.5)
    read = reading_units(model.taps, lambda _l, _u: None)
    with pytest.raises(RuntimeError, match="on purpose"), gained, read:
        raise RuntimeError("on purpose")
    assert torch.equal(model.causal(ids).logits, before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.causal.modules())


def test_gain_scales_what_the_branch_adds(model, tokens):
    """g = 0 on the MLP leaves h + attention; computed here by hand for the first block."""
    ids, found = torch.from_numpy(tokens), {}
    block = model.causal.model.layers[0]
    hooks = [
        block.register_forward_hook(
            lambda _m, a, out: found.update(inp=a[0], out=out[0] if isinstance(out, tuple) else out)
        ),
        block.self_attn.register_forward_hook(lambda _m, _a, out: found.update(attention=out[0])),
    ]
    with torch.inference_mode(), gain_applied(model.taps, Intervention.MLP_GLOBAL, 0.0):
        model.body(ids, use_cache=False)
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(found["out"], found["inp"] + found["attention"])


@pytest.mark.parametrize("n_layers", [3, 8, 28, 32])
def test_the_three_bands_cover_every_layer_once(n_layers):
    bands = [Intervention.MLP_BAND_EARLY, Intervention.MLP_BAND_MID, Intervention.MLP_BAND_LATE]
    assert [layer for band in bands for layer in scaled_layers(band, n_layers)] == list(range(n_layers))
    assert scaled_layers(Intervention.ATTN_GLOBAL, n_layers) == range(n_layers)


def test_a_model_under_another_name_is_searched(model):
    found = find_taps(model.causal, "my-llama")
    assert found.source is TapSource.DISCOVERY
    assert found.layers == model.taps.layers


def test_a_model_without_the_expected_modules_is_refused(model):
    del model.causal.model.layers[1].mlp.down_proj
    with pytest.raises(ModelError, match=r"'llama.*' was expected to have mlp\.down_proj in LlamaDecoderLayer"):
        find_taps(model.causal, LlamaConfig.model_type)


def test_a_nan_is_named_by_gain_and_layer(model, tokens):
    with torch.no_grad():
        model.causal.model.layers[1].mlp.gate_proj.weight[0, 0] = float("nan")
    passes = ForwardPasses(model, batch_tokens=64)
    with pytest.raises(NonFiniteError, match=r"layer 1 are not finite at MLP_GLOBAL gain 0\.7"):
        passes.run(tokens, Setting(gain=0.7), lambda _f, _l, _u: None)


def test_no_logits_are_computed(model, tokens):
    called = []
    model.causal.lm_head.register_forward_hook(lambda *_: called.append(True))
    ForwardPasses(model, batch_tokens=64).run(tokens, Setting(), lambda _f, _l, _u: None)
    assert not called
