"""Tiny randomly initialised models of real transformers classes, for tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from critnb import data
from critnb.canon import ModelRole
from critnb.model.architectures import known_model_types
from critnb.model.discovery import find_taps
from critnb.model.language_model import LanguageModel
from critnb.model.loading import context_length, load
from critnb.params import Compute, Loaded, validate


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of one token a byte, token 0 opening documents."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, **{letter: number for number, letter in enumerate(alphabet, start=1)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="<s>")


def tiny_llama(
    n_layers: int = 3, width: int = 16, units: int = 24, context: int = 64, seed: int = 0
) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=width,
        intermediate_size=units,
        num_hidden_layers=n_layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


# names of later configs and, by model type, of those that keep their own
_USUAL = {
    "vocab_size": 257,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
_OLD = {"vocab_size": 257, "initializer_range": 0.3, "bos_token_id": 0, "eos_token_id": 0}
_GPT = {**_OLD, "n_positions": 64, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_inner": 48}
_FALCON = {**_OLD, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 64}
_LATENT = {"q_lora_rank": 16, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8}
# what a config needs beside or instead of the usual; a variant is named TYPE:WHAT
_CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": _GPT,
    "gpt_bigcode": _GPT,
    "gpt_bigcode:many keys": {**_GPT, "multi_query": False},
    "gptj": {**_GPT, "rotary_dim": 4},
    "codegen": {**_GPT, "rotary_dim": 4, "n_ctx": 64},
    "gpt_neo": {
        **{**_OLD, "hidden_size": 32, "intermediate_size": 48, "num_layers": 2, "num_heads": 4, "window_size": 8},
        **{"max_position_embeddings": 64, "attention_types": [[["global", "local"], 1]]},
    },
    "gpt_neox:sequential": {"use_parallel_residual": False},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "opt:projected embeddings": {"ffn_dim": 48, "word_embed_proj_dim": 16},
    "bloom": {**_OLD, "hidden_size": 32, "n_layer": 3, "n_head": 4},
    "falcon": _FALCON,
    "falcon:sequential": {**_FALCON, "parallel_attn": False, "multi_query": False},
    "falcon:alibi": {**_FALCON, "parallel_attn": False, "alibi": True},
    "falcon:new": {**_FALCON, "new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon:new, one norm": {
        **_FALCON,
        "new_decoder_architecture": True,
        "num_kv_heads": 2,
        "num_ln_in_parallel_attn": 1,
    },
    "stablelm:parallel": {"use_parallel_residual": True},
    "mpt": {**_OLD, "d_model": 32, "n_layers": 3, "n_heads": 4, "max_seq_len": 64},
    "xglm": {
        **{**_OLD, "d_model": 32, "ffn_dim": 48, "num_layers": 3, "attention_heads": 4, "init_std": 0.3},
        "max_position_embeddings": 64,
    },
    "granite": {"residual_multiplier": 0.22, "attention_multiplier": 0.35, "embedding_multiplier": 12.0},
    "granite_swa": {"residual_multiplier": 0.22, "sliding_window": 8},
    "hyperclovax": {"residual_multiplier": 0.22, "use_post_norm": False},
    "hyperclovax:post-norm": {"residual_multiplier": 0.22, "use_post_norm": True},
    "minicpm3": {**_LATENT, "num_key_value_heads": 4, "scale_depth": 1.4},
    "youtu": {**_LATENT, "num_key_value_heads": 4, "head_dim": 4},
    "gemma2": {"sliding_window": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 8, "query_pre_attn_scalar": 8, "sliding_window_pattern": 2},
    "persimmon": {"num_key_value_heads": 4},
    # their default scalings of rotary positions are for longer contexts
    "apertus": {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
    "cwm": {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
    "ministral3": {
        "rope_parameters": {
            **{"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16},
            "llama_4_scaling_beta": 0.1,
        }
    },
    "phi3": {"original_max_position_embeddings": 64},
}


ROWS_AND_VARIANTS = [*known_model_types(), *(name for name in _CONFIGS if ":" in name)]


def tiny_config(name: str, **changes: Any) -> Any:
    """Return the config of a small model of a model type, or of a variant of one."""
    model_type = name.partition(":")[0]
    own = _CONFIGS.get(name, {})
    usual = {} if "initializer_range" in own else _USUAL
    return AutoConfig.for_model(model_type, **{**usual, **own, **changes})


def tiny(name: str, **changes: Any) -> PreTrainedModel:
    """Return a small model of the real class with random weights, the same every time.

    Norms and biases get random values as well: as they are initialised, norms of two places could not be told apart.
    """
    torch.manual_seed(0)
    causal = AutoModelForCausalLM.from_config(tiny_config(name, **changes), attn_implementation="eager").eval()
    for parameter in causal.parameters():
        if parameter.dim() == 1:
            parameter.data += 0.3 * torch.randn_like(parameter)
    return causal


@cache
def tiny_loaded(name: str) -> LanguageModel:
    """Return ``tiny`` as a language model, made once; it must not be changed."""
    return loaded(tiny(name))


def loaded(causal: PreTrainedModel) -> LanguageModel:
    """Return a model as ``language.load`` would, without a directory and without its checks."""
    taps = find_taps(causal, causal.config.model_type)
    return LanguageModel(
        causal.requires_grad_(False),
        byte_tokenizer(),
        taps,
        torch.device("cpu"),
        causal.dtype,
        context_length(causal.config),
    )


def save(directory: Path, causal: PreTrainedModel) -> Path:
    """Write a model directory in the hub's layout."""
    causal.save_pretrained(directory)
    byte_tokenizer().save_pretrained(directory)
    return directory


def loaded_from(directory: Path, **compute: Any) -> LanguageModel:
    """Return the model of a directory, loaded as a stage loads it."""
    return load(model_files_of(directory), Compute(device="cpu", **compute))


def model_files_of(directory: Path) -> data.ModelFiles:
    """Return the fingerprinted files of a model directory."""
    tree = {"models": {"BASE": {"source": "file", "path": str(directory)}}}
    return data.model_files(Loaded(validate(tree, origin="test"), "test", directory), ModelRole.BASE)


def untrained_doge() -> torch.nn.Module:
    """Doge without its weights on the stream, which are ones before training."""
    model = tiny("doge")
    for layer in model.model.layers:
        layer.input_residual.data.fill_(1.0)
        layer.post_attention_residual.data.fill_(1.0)
    return model
