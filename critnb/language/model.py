"""A language model in the hands of the instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from critnb.canon import ModelRole
from critnb.language.taps import Taps
from critnb.sources import ModelFiles


@dataclass(frozen=True, repr=False)
class LanguageModel:
    """A loaded model with its tokenizer and taps; ``body`` computes hidden states without logits."""

    causal: Any
    tokenizer: Any
    taps: Taps
    device: torch.device
    dtype: torch.dtype
    context_length: int | None

    @property
    def body(self) -> Any:
        """The decoder without the language-model head."""
        return self.causal.base_model

    @property
    def n_layers(self) -> int:
        """Number of layers L."""
        return self.taps.n_layers

    @property
    def n_units(self) -> int:
        """Number of MLP units F of a layer."""
        return self.taps.n_units

    def __repr__(self) -> str:
        context = "endless" if self.context_length is None else f"{self.context_length} tokens"
        kind, dtype = type(self.causal).__name__, str(self.dtype).removeprefix("torch.")
        return f"{kind}: {self.n_layers} layers of {self.n_units} units, context {context}, {dtype} on {self.device}"

    def facts(self, files: ModelFiles, role: ModelRole) -> dict[str, Any]:
        """Return the ``model`` section of a run record."""
        return {
            "id": files.id,
            "revision": files.revision,
            "role": role,
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
