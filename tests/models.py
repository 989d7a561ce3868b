"""Tiny randomly initialised models of real transformers classes, for tests."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from critnb.language.load import LanguageModel
from critnb.language.taps import find_taps


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


def loaded(causal: LlamaForCausalLM) -> LanguageModel:
    """Return a model as ``language.load`` would, without a directory."""
    taps = find_taps(causal, causal.config.model_type)
    return LanguageModel(
        causal.requires_grad_(False),
        byte_tokenizer(),
        taps,
        torch.device("cpu"),
        causal.dtype,
        causal.config.max_position_embeddings,
    )


def save(directory: Path, causal: LlamaForCausalLM) -> Path:
    """Write a model directory in the hub's layout."""
    causal.save_pretrained(directory)
    byte_tokenizer().save_pretrained(directory)
    return directory
