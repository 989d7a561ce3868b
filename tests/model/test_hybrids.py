"""Models whose blocks have one kind of MLP and mix tokens in several ways: measured, and scaled in their MLPs only."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from models import loaded, loaded_from, save, tiny

from critnb.canon import Intervention
from critnb.errors import ModelError
from critnb.model import checks
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.language_model import LanguageModel
from critnb.model.taps import gain_applied

TOKENS = np.random.default_rng(5).integers(0, 257, size=(2, 12))
_LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
_MAMBA = {"mamba_d_state": 4, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8}
_TURNS = ("linear_attention", "full_attention", "linear_attention")
# what a small config of each needs, and the modules that mix tokens in its blocks
HYBRIDS = {
    "qwen3_5_text": ({**_LINEAR, "layer_types": list(_TURNS)}, ("linear_attn", "self_attn", "linear_attn")),
    "olmo_hybrid": ({**_LINEAR, "layer_types": list(_TURNS)}, ("linear_attn", "self_attn", "linear_attn")),
    "lfm2": ({"layer_types": ["full_attention", "conv", "conv"]}, ("self_attn", "conv", "conv")),
    "bamba": ({**_MAMBA, "attn_layer_indices": [1]}, ("mamba", "self_attn", "mamba")),
    "granitemoehybrid": (
        {
            **{**_MAMBA, "num_local_experts": 0, "shared_intermediate_size": 48, "residual_multiplier": 0.22},
            "layer_types": ["mamba", "attention", "mamba"],
        },
        ("mamba", "self_attn", "mamba"),
    ),
    "jamba": (
        {
            **{"num_experts": 1, "attn_layer_period": 2, "attn_layer_offset": 1},
            **{"mamba_d_state": 4, "mamba_dt_rank": 4, "use_mamba_kernels": False},
        },
        ("mamba", "self_attn", "mamba"),
    ),
}
every = pytest.mark.parametrize("name", HYBRIDS)


@cache
def hybrid(name: str) -> LanguageModel:
    return loaded(tiny(name, **HYBRIDS[name][0]))


@every
def test_every_block_is_tapped_soundly(name):
    model = hybrid(name)
    checks.require_sound(model)
    for layer, mixer in zip(model.taps.layers, HYBRIDS[name][1], strict=True):
        assert getattr(layer.block, mixer) is not None
        assert not any(getattr(layer.block, other, None) for other in {*HYBRIDS[name][1]} - {mixer})
    judged = (*checks.linearity(model, TOKENS), *checks.attention_linearity(model, TOKENS))
    assert all(each.passed and each.contribution > 0 for each in judged)


@every
def test_a_gain_on_its_mlps_is_one_on_what_they_add(name):
    """In the last block nothing comes after the MLP: at gain 0 the block gives all of its output but the MLP's share."""
    model = hybrid(name)
    ids, last = torch.from_numpy(TOKENS), model.taps.layers[-1]
    seen: list[torch.Tensor] = []
    hooks = [last.block.register_forward_hook(lambda _m, _a, out: seen.append(out[0] if type(out) is tuple else out))]
    hooks.append(last.mlp.register_forward_hook(lambda _m, _a, out: seen.append(last.multiplier * out)))
    with torch.inference_mode():
        model.body(input_ids=ids, use_cache=False)
        with gain_applied(model.taps, Intervention.MLP_BAND_LATE, 0.0):
            model.body(input_ids=ids, use_cache=False)
    for hook in hooks:
        hook.remove()
    added, whole, _, without = seen
    torch.testing.assert_close(whole - added, without, rtol=1e-4, atol=1e-5)


@every
def test_attention_of_several_kinds_has_no_gain(name):
    passes = ForwardPasses(hybrid(name), batch_tokens=64)
    with pytest.raises(ModelError, match=r"^gain\.interventions: ATTN_GLOBAL has no meaning in this model") as caught:
        passes.run(TOKENS, Setting(Intervention.ATTN_GLOBAL, 0.7), lambda *_: None)
    first, remedy = str(caught.value).splitlines()
    assert all(mixer in first for mixer in HYBRIDS[name][1])
    assert remedy == "take ATTN_GLOBAL out of gain.interventions"


def test_one_kind_of_attention_in_alternating_windows_is_one_kind():
    model = loaded(tiny("gemma3_text"))
    assert model.taps.mixed == ()
    model.taps.refuse_mixed(Intervention)


def test_from_a_directory(tmp_path):
    model = loaded_from(save(tmp_path / "hybrid", tiny("lfm2", **HYBRIDS["lfm2"][0])))
    assert model.taps.mixed == ("conv (Lfm2ShortConv)", "self_attn (Lfm2Attention)")


def test_llama_4_without_experts():
    model = loaded(tiny("llama4_text", moe_layers=[], intermediate_size_mlp=48))
    checks.require_sound(model)
    assert (model.n_layers, model.n_units) == (3, 48)
