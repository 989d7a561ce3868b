"""What this instrument refuses, before any weight is read where the config tells it."""

from __future__ import annotations

import pytest
import torch
from models import loaded_from, save, tiny, tiny_config, tiny_llama
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig

from critnb.errors import ModelError
from critnb.model.architectures import known_model_types
from critnb.model.refusals import refuse_experts, refuse_unsuitable

MIXTURES = [
    *("mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "deepseek_v2", "deepseek_v3", "gpt_oss", "phimoe", "granitemoe"),
    *("granitemoeshared", "granitemoehybrid", "jetmoe", "jamba", "dbrx", "llama4_text", "ernie4_5_moe", "glm4_moe"),
    *("minimax", "flex_olmo", "exaone_moe", "lfm2_moe", "qwen3_next", "aria_text"),
]


def refusal(config) -> str:
    with pytest.raises(ModelError) as caught:
        refuse_unsuitable(config)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"model type {config.model_type!r} ")
    assert lines[1].startswith(("use ", "save "))
    return lines[0]


@pytest.mark.parametrize("model_type", MIXTURES)
def test_a_mixture_of_experts(model_type):
    assert "is a mixture of experts" in refusal(AutoConfig.for_model(model_type))


@pytest.mark.parametrize("model_type", ["t5", "bart", "pegasus", "whisper", "mbart", "marian"])
def test_an_encoder_decoder(model_type):
    assert "is an encoder-decoder" in refusal(AutoConfig.for_model(model_type))


@pytest.mark.parametrize("model_type", ["bert", "roberta", "electra", "modernbert", "deberta-v2"])
def test_an_encoder(model_type):
    assert "is an encoder" in refusal(AutoConfig.for_model(model_type))


@pytest.mark.parametrize(
    ("model_type", "text"), [("gemma3", "gemma3_text"), ("mllama", "mllama_text_model"), ("llava", "llama")]
)
def test_a_multimodal_wrapper_names_the_language_model_in_it(model_type, text):
    assert f"wraps a language model ({text})" in refusal(AutoConfig.for_model(model_type))


@pytest.mark.parametrize(
    ("name", "field", "value", "reason"),
    [
        ("opt", "do_layer_norm_before", False, "normalises the sum after each branch"),
        ("bloom", "apply_residual_connection_post_layernorm", True, "carries the normalised stream on"),
        ("bloom", "slow_but_exact", True, "past the modules"),
    ],
)
def test_a_variant_that_its_row_refuses(name, field, value, reason):
    said = refusal(tiny_config(name, **{field: value}))
    assert f"with {field} = {value}" in said
    assert reason in said


@pytest.mark.parametrize("name", known_model_types())
def test_what_a_row_names_is_not_refused(name):
    refuse_unsuitable(tiny_config(name))


def test_experts_that_a_config_counts_but_does_not_build():
    refuse_unsuitable(AutoConfig.for_model("doge"))
    refuse_unsuitable(AutoConfig.for_model("jamba", num_experts=1))
    refuse_unsuitable(AutoConfig.for_model("llama4_text", moe_layers=[]))
    refuse_unsuitable(AutoConfig.for_model("deepseek_v3", num_hidden_layers=2, first_k_dense_replace=2))
    refuse_unsuitable(AutoConfig.for_model("llama", first_k_dense_replace=None))
    assert "num_experts = 16384" in refusal(AutoConfig.for_model("doge", is_moe=True))
    refuse_unsuitable(AutoConfig.for_model("gemma4_text"))


def test_it_is_said_before_weights_are_read(tmp_path):
    config = {"num_local_experts": 2, "num_experts_per_tok": 1}
    directory = save(tmp_path / "mixture", tiny("mixtral", **config))
    save_file({f"none of its tensors {n}": torch.zeros(1) for n in range(3)}, directory / "model.safetensors")
    with pytest.raises(ModelError, match=r"'mixtral' is a mixture of experts \(num_local_experts = 2\)"):
        loaded_from(directory)


@pytest.mark.parametrize("name", ["mixtral", "olmoe", "gpt_oss", "granitemoe", "hunyuan_v1_moe"])
def test_experts_are_also_seen_among_the_modules(name):
    with torch.device("meta"):
        model = tiny(name)
    with pytest.raises(ModelError, match=r"is a mixture of experts \(it has model\.layers\.0\..*\)"):
        refuse_experts(model, "said-nothing")


def test_a_module_that_only_sounds_like_experts_is_none():
    model = tiny_llama()
    model.expertise = nn.Linear(2, 2)
    refuse_experts(model, "llama")


def test_a_decoder_row_whose_tokens_see_later_ones(tmp_path):
    """EmbeddingGemma is a Gemma 3 with attention both ways; its config says it in a field of its own."""
    directory = save(tmp_path / "embedder", tiny("gemma3_text", use_bidirectional_attention=True))
    with pytest.raises(ModelError, match="tokens see later tokens"):
        loaded_from(directory)
