"""Models that this instrument cannot read soundly, recognised by their config before any weight is read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

from critnb.errors import ModelError
from critnb.model.architectures import architecture_of

_COUNT_OF_EXPERTS = re.compile(r"(moe_)?(num|n)_((local|routed)_)?experts")
_EXPERT_MODULE = re.compile(r"(.*\.)?(experts?|shared_experts?|router|moe|block_sparse_moe)")
_PROBE_TEXT = "The quick brown fox jumps over the lazy dog, and nobody knows why it should. " * 4
_TRIES = 3
_WHY_NO_EXPERTS = "each token has MLP units of its own, so u has no fixed units"


def refuse_unsuitable(config: Any) -> None:
    """Raise ModelError for what is no dense decoder-only model, for quantised weights, or a variant that a row refuses."""
    name = f"model type {config.model_type!r}"
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{name} is an encoder-decoder\nuse a decoder-only language model")
    text = config.get_text_config()
    if text is not config:
        raise ModelError(
            f"{name} wraps a language model ({text.model_type}) together with other modalities\n"
            "save the language model alone and give its directory"
        )
    row = architecture_of(config.model_type)
    if row is None and type(config) in MODEL_FOR_MASKED_LM_MAPPING:
        raise ModelError(f"{name} is an encoder, trained to fill masked tokens\nuse a decoder-only language model")
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(f"{name} is no causal language model of transformers\nuse a decoder-only language model")
    for key, value in _experts(config.to_dict()):
        raise ModelError(
            f"{name} is a mixture of experts ({key} = {value}): {_WHY_NO_EXPERTS}\nuse a model with one MLP a layer"
        )
    if getattr(config, "quantization_config", None):
        raise ModelError(
            f"{name} with weights that are quantised (quantization_config): what they give depends on other packages than the "
            "weights' hash says\nuse the model's weights in float32, bfloat16 or float16"
        )
    for key, (value, reason) in (row.refused if row else {}).items():
        if getattr(config, key, None) == value:
            raise ModelError(f"{name} with {key} = {value} {reason}\nuse a model with another {key}")


def refuse_random(tokenizer: Any) -> None:
    """Raise ModelError for a tokenizer that does not give the same tokens of a text every time."""
    dropout = getattr(getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None), "dropout", None)
    tries = {tuple(tokenizer(_PROBE_TEXT, add_special_tokens=False, verbose=False)["input_ids"]) for _ in range(_TRIES)}
    if dropout or len(tries) > 1:
        raise ModelError(
            f"the tokenizer cuts the same text at random (dropout = {dropout or 0.0:g} in tokenizer.json)\n"
            "set dropout to null in tokenizer.json"
        )


def refuse_experts(model: nn.Module, model_type: str) -> None:
    """Raise ModelError where a loaded model has experts or routers among its modules, whatever its config calls them."""
    found = next((path for path, _ in model.named_modules() if _EXPERT_MODULE.fullmatch(path)), None)
    if found is not None:
        raise ModelError(
            f"model type {model_type!r} is a mixture of experts (it has {found}): {_WHY_NO_EXPERTS}\n"
            "use a model with one MLP a layer"
        )


def _experts(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    if not _builds_none(config):
        for key, value in config.items():
            if isinstance(value, Mapping):
                yield from _experts(value)
            elif _COUNT_OF_EXPERTS.fullmatch(str(key)) and isinstance(value, int) and value > 1:
                yield key, value


def _builds_none(config: Mapping[str, Any]) -> bool:
    """Tell whether a config counts experts that none of its layers has, as dense models of such families do."""
    kinds = config.get("mlp_layer_types")
    return (
        not config.get("is_moe", True)
        or config.get("moe_layers", True) == []
        or (isinstance(kinds, list) and set(kinds) == {"dense"})
        or (config.get("first_k_dense_replace") or 0) >= (config.get("num_hidden_layers") or math.inf)
    )
