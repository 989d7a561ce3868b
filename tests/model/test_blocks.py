"""Taps put in the wrong place on purpose: each must fail, in families where each mistake is easy to make."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from models import loaded, tiny, tiny_loaded

from critnb.canon import Intervention
from critnb.errors import ModelError
from critnb.model import checks, discovery
from critnb.model.architectures import Architecture
from critnb.model.blocks import PROBE_GAIN, LayerLinearity, attention_linearity, each_block, mlp_linearity
from critnb.model.taps import Taps, gain_applied, reading_units

TOKENS = np.random.default_rng(0).integers(0, 257, size=(2, 16))


def retapped(name, layer=None, **paths):
    """The model with other modules of its blocks as taps, in one layer or in all."""
    model = tiny_loaded(name)
    layers = tuple(
        replace(taps, **{part: taps.block.get_submodule(path) for part, path in paths.items()})
        if layer in (None, number)
        else taps
        for number, taps in enumerate(model.taps.layers)
    )
    return replace(model, taps=replace(model.taps, layers=layers))


def reasons(judged: list[LayerLinearity]) -> set[str]:
    return {layer.reason for layer in judged}


GAIN_ON_MLP = "a gain on the MLP does not move the block by (g - 1) x contribution"
GAIN_ON_ATTENTION = "a gain on attention does not move the block by (g - 1) x contribution"
NOT_ITS_INPUT = "with both branches at gain 0 the block does not return its input"
NOT_THE_PROJECTION = "the projection whose input is read does not carry all that the MLP adds"


@pytest.mark.parametrize(
    ("name", "mlp", "reason"),
    [
        ("gemma2", "mlp", GAIN_ON_MLP),  # one module too deep: a norm follows it
        ("olmo2", "mlp", GAIN_ON_MLP),
        ("glm4", "mlp", GAIN_ON_MLP),
        ("gemma2", "pre_feedforward_layernorm", GAIN_ON_MLP),  # too high
        ("llama", "post_attention_layernorm", GAIN_ON_MLP),
        ("bloom", "mlp", NOT_ITS_INPUT),  # it holds the stream as well
        ("mpt", "ffn", NOT_ITS_INPUT),
        ("llama", "self_attn", GAIN_ON_MLP),  # attention for MLP
        ("opt", "final_layer_norm", GAIN_ON_MLP),
    ],
)
def test_an_mlp_tap_in_the_wrong_place(name, mlp, reason):
    judged = checks.linearity(retapped(name, mlp=mlp), TOKENS)
    assert not any(layer.passed for layer in judged)
    assert reasons(judged) == {reason}
    assert all(layer.deviation > 10 * layer.tolerance for layer in judged)


def test_attention_for_mlp_in_a_parallel_block_is_told_by_what_u_carries():
    """Both branches are added alike there, so only that u does not make what is scaled can tell."""
    model = retapped("gpt_neox", mlp="attention", attention="mlp")
    assert reasons(checks.linearity(model, TOKENS)) == {NOT_THE_PROJECTION}


@pytest.mark.parametrize(
    ("name", "attention", "reason"),
    [
        ("gemma2", "self_attn", GAIN_ON_ATTENTION),
        ("exaone4", "self_attn", GAIN_ON_ATTENTION),
        ("llama", "input_layernorm", GAIN_ON_ATTENTION),
        ("llama", "mlp", GAIN_ON_ATTENTION),
        ("bloom", "self_attention", NOT_ITS_INPUT),
    ],
)
def test_an_attention_tap_in_the_wrong_place(name, attention, reason):
    judged = checks.attention_linearity(retapped(name, attention=attention), TOKENS)
    assert reasons(judged) == {reason}


@pytest.mark.parametrize(
    ("name", "projection", "reason"),
    [
        ("llama", "self_attn.o_proj", NOT_THE_PROJECTION),
        ("llama", "mlp.up_proj", "Linear gives [2, 16, 48], the residual stream is [2, 16, 32]"),
        ("gpt_neox", "mlp.dense_h_to_4h", "Linear gives [2, 16, 48], the residual stream is [2, 16, 32]"),
    ],
)
def test_u_read_at_the_wrong_projection(name, projection, reason):
    assert reasons(checks.linearity(retapped(name, projection=projection), TOKENS)) == {reason}


def test_projections_of_two_layers_swapped():
    model = tiny_loaded("llama")
    first, second, third = model.taps.layers
    swapped = (replace(first, projection=second.projection), replace(second, projection=first.projection), third)
    judged = checks.linearity(replace(model, taps=Taps(swapped, model.n_units)), TOKENS)
    assert [layer.passed for layer in judged] == [False, False, True]
    assert "Linear runs 0 times in the block; a gain must apply once" in reasons(judged)


def test_one_wrong_layer_is_the_one_that_fails():
    judged = checks.linearity(retapped("olmo2", layer=1, mlp="mlp"), TOKENS)
    assert [layer.passed for layer in judged] == [True, False, True]


@pytest.mark.parametrize("name", ["granite", "minicpm3", "hyperclovax:post-norm"])
def test_a_multiplier_left_out(name):
    model = tiny_loaded(name)
    layers = tuple(replace(layer, multiplier=1.0) for layer in model.taps.layers)
    plain = replace(model, taps=replace(model.taps, layers=layers))
    assert reasons(checks.linearity(plain, TOKENS)) == {GAIN_ON_MLP}
    assert reasons(checks.attention_linearity(plain, TOKENS)) == {GAIN_ON_ATTENTION}


@pytest.mark.parametrize("name", ["gpt2", "bloom", "gemma2", "granite", "gpt_neox", "opt"])
def test_with_both_gains_at_zero_the_embedding_passes_every_layer(name):
    """By the pack's own gain, through the whole model: with attention and MLP silenced the stream passes unchanged."""
    model = tiny_loaded(name)
    with (
        gain_applied(model.taps, Intervention.MLP_GLOBAL, 0.0),
        gain_applied(model.taps, Intervention.ATTN_GLOBAL, 0.0),
    ):
        passed = each_block(
            lambda: model.body(torch.from_numpy(TOKENS), use_cache=False),
            model.taps.layers,
            lambda _layer, call: call.stream,
        )
    assert len(passed) == model.n_layers
    assert all(torch.equal(stream, passed[0]) for stream in passed)


def test_a_row_with_its_branches_mixed_up_is_stopped_at_loading(monkeypatch):
    row = Architecture(("gpt_neox",), "gpt_neox.layers", "mlp.dense_4h_to_h", mlp="attention", attention="mlp")
    monkeypatch.setattr(discovery, "architecture_of", lambda _name: row)
    model = tiny_loaded("gpt_neox")
    wrong = replace(model, taps=discovery.find_taps(model.causal, "gpt_neox"))
    with pytest.raises(ModelError, match=r"'gpt_neox', taps from row: layer 0: the projection .*\n.*spec/06"):
        checks.require_sound(wrong)


@pytest.fixture
def shared():
    """A model whose two last blocks have one MLP between them."""
    model = tiny("llama")
    model.model.layers[2].mlp = model.model.layers[1].mlp
    return model


def test_a_module_that_two_layers_share_is_refused(shared):
    with pytest.raises(ModelError, match="layers share their projection module, so a gain would apply more than once"):
        discovery.find_taps(shared, "llama")


def test_a_module_that_runs_twice_in_a_block_fails():
    model = tiny("llama")
    block = model.model.layers[0]
    once = block.forward
    block.forward = lambda h, **kwargs: once(h, **kwargs) + block.mlp(h)
    judged = checks.linearity(loaded(model), TOKENS)
    assert [layer.passed for layer in judged] == [False, True, True]
    assert judged[0].reason == "Linear runs 2 times in the block; a gain must apply once"
    assert judged[0].deviation == float("inf")


def test_a_huge_value_of_the_stream_hides_nothing_elsewhere():
    """Massive activations: one unit of the stream at 1e6, and a tap below a nonlinearity of a hundredth."""
    model = tiny("llama")
    model.model.embed_tokens.weight.data[:, 3] = 1e6
    for layer in model.model.layers:
        layer.mlp.register_forward_hook(lambda _m, _a, out: out + 0.01 * out.square())
    sound = loaded(model)
    layers = tuple(replace(layer, mlp=layer.projection) for layer in sound.taps.layers)
    wrong = replace(sound, taps=replace(sound.taps, layers=layers))
    assert all(layer.passed for layer in checks.linearity(sound, TOKENS))
    assert not any(layer.passed for layer in checks.linearity(wrong, TOKENS))


def test_what_is_lost_in_rounding_is_not_called_sound():
    model = tiny("llama").to(torch.bfloat16)
    for layer in model.model.layers:
        layer.mlp.down_proj.weight.data *= 1e-6
    assert reasons(checks.linearity(loaded(model), TOKENS)) == {"what the branch adds is lost in rounding"}


def test_a_block_that_is_not_finite_is_not_sound_and_not_refused_at_loading():
    model = tiny("llama")
    model.model.layers[1].mlp.up_proj.weight.data[0, 0] = float("nan")
    broken = loaded(model)
    assert [layer.passed for layer in checks.linearity(broken, TOKENS)] == [True, False, False]
    checks.require_sound(broken)


def test_the_probe_is_exact_in_the_scaled_contribution():
    contribution = torch.randn(100).to(torch.bfloat16)
    assert torch.equal((contribution * PROBE_GAIN).double(), contribution.double() * PROBE_GAIN)


def test_an_activation_written_into_the_reader_is_seen(monkeypatch):
    """The trap of published code: silu for every gated MLP gives a GELU-gated Gemma wrong units without an error."""
    model = tiny_loaded("gemma")

    @contextmanager
    def with_silu(taps, on_units):
        inputs = {}

        def guess(layer, _u):
            mlp, h = taps.layers[layer].mlp, inputs[layer]
            on_units(layer, torch.nn.functional.silu(mlp.gate_proj(h)) * mlp.up_proj(h))

        handles = [
            layer.mlp.register_forward_pre_hook(lambda _m, a, n=n: inputs.__setitem__(n, a[0]))
            for n, layer in enumerate(taps.layers)
        ]
        with reading_units(taps, guess):
            yield
        for handle in handles:
            handle.remove()

    assert checks.unit_reading_deviation(model, TOKENS) == 0.0
    monkeypatch.setattr(checks, "reading_units", with_silu)
    assert checks.unit_reading_deviation(model, TOKENS) > 1e-3


def test_units_of_another_number_than_the_taps_say_are_infinitely_wrong():
    model = tiny_loaded("opt")
    wrong = replace(model, taps=Taps(model.taps.layers, model.n_units + 1))
    assert checks.unit_reading_deviation(model, TOKENS) == 0.0
    assert checks.unit_reading_deviation(wrong, TOKENS) == float("inf")


def test_a_projection_that_is_never_called_is_infinitely_wrong():
    model = tiny_loaded("llama")
    never = torch.nn.Linear(48, 32)
    layers = tuple(replace(layer, projection=never) for layer in model.taps.layers)
    assert checks.unit_reading_deviation(replace(model, taps=Taps(layers, 48)), TOKENS) == float("inf")


def test_the_two_judges_agree_with_the_sum_of_the_parts():
    """Block output = input + attention + MLP, from the outputs of the taps themselves."""
    for name in ("llama", "gemma2", "bloom", "granite", "falcon", "opt", "glm4"):
        model = tiny_loaded(name)

        def parts(_layer, call):
            taps = call.taps
            found = call.outputs((taps.mlp, taps.attention))
            added = [taps.multiplier * found[each][0].view_as(call.stream) for each in (taps.mlp, taps.attention)]
            torch.testing.assert_close(call(), call.stream + sum(added), rtol=1e-5, atol=1e-5)
            return mlp_linearity(0, call).passed and attention_linearity(0, call).passed

        assert all(
            each_block(lambda m=model: m.body(torch.from_numpy(TOKENS), use_cache=False), model.taps.layers, parts)
        )
