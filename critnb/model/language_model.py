"""A loaded language model with its tokenizer and its taps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import ModelRole
from critnb.data import ModelFiles
from critnb.errors import ModelError
from critnb.model.taps import Taps


def require_embeddings(tokens: NDArray[np.int64] | Sequence[int], n_tokens: int) -> None:
    """Raise ModelError where a token id, in an array of any shape, is none of a model's ``n_tokens``."""
    largest = int(np.max(tokens, initial=0))
    if largest >= n_tokens:
        raise ModelError(
            f"the tokenizer gives token id {largest}, the model has embeddings of {n_tokens} tokens (0 to {n_tokens - 1})\n"
            "tokenizer and weights are not of one model; use the tokenizer of these weights"
        )


def decoder_of(causal: Any) -> Any:
    """Return the part of a causal language model that computes hidden states."""
    # Llama 4 names a part of another class as its base, so it would be its own
    return causal.base_model if causal.base_model is not causal else getattr(causal, "model", causal)


def named(files: ModelFiles, role: ModelRole) -> dict[str, Any]:
    """Return what the record calls a model by: its files and role say it, and not their content."""
    return {"id": files.id, "revision": files.revision, "role": role}


@dataclass
class Tried:
    """What was found of a loaded model, once for all of its passes.

    repeatable: its blocks give the same when they are run again from a kept stream.
    """

    repeatable: bool = False


@dataclass(frozen=True, repr=False)
class LanguageModel:
    """A loaded model with its tokenizer and taps; ``body`` computes hidden states without logits."""

    causal: Any
    tokenizer: Any
    taps: Taps
    device: torch.device
    dtype: torch.dtype
    context_length: int | None
    # where its parts are, by name, if they are on several devices; token ids go to ``device``
    placed: Mapping[str, str] = field(default_factory=dict)
    tried: Tried = field(default_factory=Tried, compare=False)

    @property
    def body(self) -> Any:
        """The decoder without the language-model head."""
        return decoder_of(self.causal)

    @property
    def n_layers(self) -> int:
        """Number of layers L."""
        return self.taps.n_layers

    @property
    def n_units(self) -> int:
        """Number of MLP units F of a layer."""
        return self.taps.n_units

    @property
    def n_tokens(self) -> int:
        """Number of tokens that the model has an embedding of."""
        try:
            return len(self.causal.get_input_embeddings().weight)
        except (AttributeError, NotImplementedError):
            # a class that does not say where its embeddings are: its config's word for their number
            return int(self.causal.config.vocab_size)

    @property
    def vocabulary(self) -> int:
        """Size of the vocabulary that its config names."""
        return int(self.causal.config.vocab_size)

    def require_known(self, tokens: NDArray[np.int64] | Sequence[int]) -> None:
        """Raise ModelError where a token id, in an array of any shape, has no embedding."""
        require_embeddings(tokens, self.n_tokens)

    def ids(self, tokens: NDArray[np.int64]) -> Tensor:
        """Return token ids on the model's device; raises ModelError where one has no embedding."""
        self.require_known(tokens)
        return torch.from_numpy(tokens).to(self.device)

    def __repr__(self) -> str:
        context = "endless" if self.context_length is None else f"{self.context_length} tokens"
        kind, dtype = type(self.causal).__name__, str(self.dtype).removeprefix("torch.")
        where = " and ".join(dict.fromkeys(self.placed.values())) or str(self.device)
        return f"{kind}: {self.n_layers} layers of {self.n_units} units, context {context}, {dtype} on {where}"

    def facts(self, files: ModelFiles, role: ModelRole) -> dict[str, Any]:
        """Return the ``model`` section of a run record."""
        return {
            **named(files, role),
            "class": type(self.causal).__name__,
            "n_layers": self.n_layers,
            "d_ff": self.n_units,
            "taps": self.taps.source,
            "attention": self.causal.config._attn_implementation,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": str(self.device),
            "weights_sha256": files.weights_sha256,
            "tokenizer_sha256": files.tokenizer_sha256,
        }
