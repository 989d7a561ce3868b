"""A fair sample of transformers' causal models, sound or not: each is measured, or refused with its type, a reason and a remedy."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from models import loaded
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForCausalLM

from critnb.errors import ModelError
from critnb.model.checks import require_sound
from critnb.model.refusals import refuse_unsuitable

# small values for whichever of these fields a config has
_SMALL: dict[str, Any] = {
    **dict.fromkeys(
        ("hidden_size", "n_embd", "d_model", "word_embed_proj_dim", "attention_hidden_size", "lru_width"), 32
    ),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "dff"), 48),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "decoder_layers"), 3),
    **dict.fromkeys(("num_attention_heads", "n_head", "num_heads", "decoder_attention_heads", "attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "head_dim", "state_size"), 4),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "vocab_size_per_layer_input"), 64),
    **{"vocab_size": 257, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "laurel_rank": 4},
    **{"hidden_size_per_layer_input": 8, "rotary_dim": 4, "num_kv_shared_layers": 0},
}
# its lists have one entry per layer
_OWN: dict[str, dict[str, Any]] = {
    "gemma3n_text": {
        **{"intermediate_size": [48] * 3, "activation_sparsity_pattern": [0.0] * 3},
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
    },
}
MEASURED = ["ctrl", "internlm3", "modernbert-decoder", "iquestcoder", "xlstm", "exaone4", "granite", "phi"]
REFUSED = [
    *("bert-generation", "blenderbot-small", "cpmant", "gemma3n_text", "gemma4_text", "mamba", "openai-gpt", "rwkv"),
    *("recurrent_gemma", "trocr", "xlnet", "gpt_neox_japanese", "mixtral", "bart", "t5", "llava"),
]


def small(model_type: str) -> Any:
    """Return a small config of any type, made without knowing it."""
    usual = AutoConfig.for_model(model_type)
    known = {*usual.to_dict(), *type(usual).attribute_map}
    fitting = {key: value for key, value in _SMALL.items() if key in known}
    return AutoConfig.for_model(model_type, **{**fitting, **_OWN.get(model_type, {})})


def measure(model_type: str) -> None:
    """Do what loading does with a model's config and modules, in the same order."""
    with warnings.catch_warnings():
        # what transformers says of configs that no one uses
        warnings.simplefilter("ignore")
        config = small(model_type)
        refuse_unsuitable(config)
        torch.manual_seed(0)
        causal = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        for parameter in causal.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        require_sound(loaded(causal))


@pytest.mark.parametrize("model_type", MEASURED)
def test_what_can_be_measured(model_type):
    measure(model_type)


@pytest.mark.parametrize("model_type", REFUSED)
def test_what_cannot_is_refused_with_type_reason_and_remedy(model_type):
    with pytest.raises(ModelError) as caught:
        measure(model_type)
    first, remedy = str(caught.value).splitlines()
    assert first.startswith(f"model type {model_type!r}")
    assert "use " in remedy or remedy.startswith("save the language model alone")


def test_a_type_that_is_no_language_model():
    config = AutoConfig.for_model("vit")
    assert type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING
    with pytest.raises(ModelError, match="'vit' is no causal language model of transformers"):
        refuse_unsuitable(config)
