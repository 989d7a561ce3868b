"""The checks that a model passes before its numbers count: identity, reading of u, linearity, and causality."""

from __future__ import annotations

import math
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import CANON, Intervention
from critnb.errors import ModelError
from critnb.model import blocks
from critnb.model.blocks import LayerLinearity, each_block
from critnb.model.language_model import LanguageModel
from critnb.model.taps import finite, first_tensor, gain_applied, reading_output, reading_units

_PROBE_TOKENS = 12
_PROBE_SEED = 1337


@torch.inference_mode()
def identity_deviation(model: LanguageModel, tokens: NDArray[np.int64]) -> float:
    """Return the largest absolute difference of logits on tokens [N, T] with g = 1 hooked in; 0.0 is the only pass."""
    ids = model.ids(tokens)
    plain = model.causal(input_ids=ids, use_cache=False).logits
    with (
        gain_applied(model.taps, Intervention.MLP_GLOBAL, CANON.CONST.GAIN_BASELINE),
        reading_units(model.taps, lambda _layer, _u: None),
    ):
        hooked = model.causal(input_ids=ids, use_cache=False).logits
    return 0.0 if torch.equal(plain, hooked) else float((plain - hooked).abs().max())


def linearity(model: LanguageModel, tokens: NDArray[np.int64]) -> list[LayerLinearity]:
    """Check, layer by layer, that a gain g on layer l's MLP alone moves block l's output by (g - 1) * contribution_l.

    ``tokens`` [N, T]. A hook in the wrong place, in any architecture, fails here: the block must also return its input
    with both branches at gain 0, and the projection whose input is u must carry all that the MLP adds.
    """
    return _every_layer(model, tokens, blocks.mlp_linearity)


def attention_linearity(model: LanguageModel, tokens: NDArray[np.int64]) -> list[LayerLinearity]:
    """Check the same of attention's contribution, with the MLP of the layer at gain 0; ``tokens`` [N, T]."""
    return _every_layer(model, tokens, blocks.attention_linearity)


def _every_layer(model: LanguageModel, tokens: NDArray[np.int64], judge: blocks.Judge) -> list[LayerLinearity]:
    ids = model.ids(tokens)
    return each_block(lambda: model.body(input_ids=ids, use_cache=False), model.taps.layers, judge)


@torch.inference_mode()
def unit_reading_deviation(model: LanguageModel, tokens: NDArray[np.int64]) -> float:
    """Return the largest |projection(u) - projection's output| over layers: that u read is what the projection saw.

    ``tokens`` [N, T]; infinite where a layer's u is not read exactly once, or is not [N, T, F].
    """
    ids = model.ids(tokens)
    layers = model.taps.layers
    read: dict[int, Tensor] = {}
    deviations: list[float] = []

    def compare(layer: int, output: Tensor) -> None:
        u = read.pop(layer, None)
        if u is None or u.shape != (*tokens.shape, model.n_units):
            deviations.append(math.inf)
        else:
            again = first_tensor(layers[layer].projection.forward(u)).view_as(output)
            deviations.append(float((again - output).abs().max()))

    with reading_units(model.taps, read.__setitem__), ExitStack() as stack:
        for number, layer in enumerate(layers):
            stack.enter_context(reading_output(layer.projection, partial(compare, number)))
        model.body(input_ids=ids, use_cache=False)
    return max(deviations) if len(deviations) == len(layers) else math.inf


@torch.inference_mode()
def causality_deviation(model: LanguageModel, tokens: NDArray[np.int64]) -> float:
    """Return how far the last token of ``tokens`` [N, T] moves hidden states before it, over their largest value.

    A decoder gives 0.0, up to the order of its sums.
    """
    ids = model.ids(tokens)
    other = ids.clone()
    other[:, -1] = (ids[:, -1] + 1) % model.causal.config.vocab_size
    plain, moved = (model.body(input_ids=each, use_cache=False).last_hidden_state[:, :-1] for each in (ids, other))
    return float((plain - moved).abs().max() / plain.abs().max())


def require_sound(model: LanguageModel) -> None:
    """Raise ModelError where a loaded model fails a check on a few random tokens; S00 runs them on the user's windows.

    A model whose activations are not finite passes: the passes over windows say at which gain and in which layer.
    """
    tokens = probe_tokens(model.causal.config, model.context_length)
    failure = _failure(model, tokens) if _is_finite(model, tokens) else None
    if failure is not None:
        raise ModelError(
            f"model type {model.causal.config.model_type!r}, taps from {model.taps.source}: {failure}\n"
            "spec/06_ARCHITECTURES.md says what a model must do to be measured; use another model"
        )


def probe_tokens(config: Any, context_length: int | None) -> NDArray[np.int64]:
    """Return random token ids [2, T] to check a model with before its corpus is read."""
    length = min(_PROBE_TOKENS, context_length or _PROBE_TOKENS)
    return np.random.default_rng(_PROBE_SEED).integers(0, config.vocab_size, size=(2, length))


@torch.inference_mode()
def _is_finite(model: LanguageModel, tokens: NDArray[np.int64]) -> bool:
    ids = model.ids(tokens)
    return finite(model.body(input_ids=ids, use_cache=False).last_hidden_state)


def _failure(model: LanguageModel, tokens: NDArray[np.int64]) -> str | None:
    if causality_deviation(model, tokens) > torch.finfo(model.dtype).eps:
        return "tokens see later tokens, so it is no causal language model"
    if identity_deviation(model, tokens) != 0.0:
        return "logits with g = 1 hooked in differ from the plain logits"
    if unit_reading_deviation(model, tokens) == math.inf:
        return "u is not read exactly once in every layer"
    for judged in (*linearity(model, tokens), *attention_linearity(model, tokens)):
        if not judged.passed:
            return f"layer {judged.layer}: {judged.reason}"
    return None
