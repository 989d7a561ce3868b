"""Where a decoder block of each architecture keeps what the pack reads and scales: one row per architecture.

All names are module paths: ``blocks`` from the causal language model, the others from one block. ``projection`` is
the MLP's output projection, whose input is u; ``mlp`` and ``attention`` are the modules whose output is what the
branch adds to the residual stream. ``multiplier`` names the attribute of the block by which it multiplies that output
first. What a row leaves out has the name that Llama's block gives it. A model type that no row names goes through
``critnb.model.discovery``, which finds a row of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """One row; ``refused`` maps a config field to the value that breaks h_out = h_in + attention + mlp, and to the reason.

    ``others`` are further pairs of ``mlp`` and ``attention``, for blocks of a hybrid that lack one of the first pair
    because they mix tokens by a convolution or a state space.
    ``endless`` says that the model has no longest context: positions enter as a distance only (ALiBi).
    """

    model_types: tuple[str, ...]
    blocks: str = "model.layers"
    projection: str = "mlp.down_proj"
    mlp: str = "mlp"
    attention: str = "self_attn"
    multiplier: str | None = None
    others: tuple[tuple[str, str], ...] = ()
    endless: bool = False
    refused: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


ARCHITECTURES = (
    # h + attention, then + mlp; or both from one norm (Cohere, StableLM's parallel form); gated or plain, u is the
    # projection's input in all of them. Phi-3 and GLM fuse gate and up, Gemma gates by GELU, OLMo's norms have no weights.
    Architecture(
        (
            *("llama", "mistral", "ministral", "ministral3", "qwen2", "qwen3", "gemma", "vaultgemma", "olmo", "phi3"),
            *("cohere", "cohere2", "stablelm", "smollm3", "glm", "helium", "seed_oss", "arcee", "apertus", "nemotron"),
            *("ernie4_5", "hunyuan_v1_dense", "bitnet", "cwm", "diffllama", "youtu", "jais2"),
        )
    ),
    Architecture(("phi", "nanochat"), projection="mlp.fc2"),
    Architecture(("starcoder2",), projection="mlp.c_proj"),
    Architecture(("persimmon",), projection="mlp.dense_4h_to_h"),
    Architecture(("gpt2", "gpt_bigcode", "gpt_neo"), "transformer.h", "mlp.c_proj", attention="attn"),
    Architecture(("gptj", "codegen"), "transformer.h", "mlp.fc_out", attention="attn"),
    Architecture(("gpt_neox",), "gpt_neox.layers", "mlp.dense_4h_to_h", attention="attention"),
    # new and old decoder, parallel or not: the branches are added outside their modules in all forms
    Architecture(("falcon",), "transformer.h", "mlp.dense_4h_to_h", attention="self_attention"),
    # no MLP module: its two projections are the block's own
    Architecture(
        ("opt",),
        "model.decoder.layers",
        "fc2",
        mlp="fc2",
        refused={"do_layer_norm_before": (False, "normalises the sum after each branch, so no branch is only added")},
    ),
    Architecture(("xglm",), projection="fc2", mlp="fc2"),
    Architecture(("biogpt",), "biogpt.layers", "fc2", mlp="fc2"),
    # both modules take the residual stream and add it themselves: what they add is the output of their projection
    Architecture(
        ("bloom",),
        "transformer.h",
        "mlp.dense_4h_to_h",
        mlp="mlp.dense_4h_to_h",
        attention="self_attention.dense",
        endless=True,
        refused={
            "apply_residual_connection_post_layernorm": (True, "carries the normalised stream on, not the stream"),
            "slow_but_exact": (True, "multiplies by slices of its projections' weights, past the modules"),
        },
    ),
    # as BLOOM, but in the MLP only
    Architecture(("mpt",), "transformer.blocks", "ffn.down_proj", mlp="ffn.down_proj", attention="attn"),
    # post-norm: a norm stands between each branch and the stream, its output is what is added
    Architecture(
        ("gemma2", "gemma3_text", "olmo2", "olmo3", "exaone4"),
        mlp="post_feedforward_layernorm",
        attention="post_attention_layernorm",
    ),
    Architecture(("glm4",), mlp="post_mlp_layernorm", attention="post_self_attn_layernorm"),
    # the block multiplies what a branch gives before it adds it
    Architecture(("granite", "granite_swa"), multiplier="residual_multiplier"),
    Architecture(("minicpm3",), multiplier="residual_scale"),
    # both: the norms are identities where the config says so
    Architecture(("hyperclovax",), mlp="post_norm2", attention="post_norm1", multiplier="residual_multiplier"),
)


def architecture_of(model_type: str) -> Architecture | None:
    """Return the row of a model type, or None if no row names it."""
    return next((row for row in ARCHITECTURES if model_type in row.model_types), None)


def known_model_types() -> list[str]:
    """Return every model type that a row names."""
    return sorted(name for row in ARCHITECTURES for name in row.model_types)
