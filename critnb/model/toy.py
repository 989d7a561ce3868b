"""Toy networks whose branching by intervention is known: decoders with taps, run by the same code as any model.

The stream has four parts for every layer: two inputs from outside, whether an event may be passed on, and what the layer
writes. Unit i of layer l has an event where its input is above a threshold, or where unit i of the layer below has one and
the gate between them is open, with probability ``gain`` at each token. With ``churn`` all values of the layer below decide
which of two equally distributed inputs a unit reads: any change below then makes events appear and vanish, as many as
another, as in a trained model; a control has to take that away.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from critnb.lattice.randomness import root_key, words
from critnb.model.language_model import LanguageModel
from critnb.model.taps import LayerTaps, Taps

# an input above it is an event, and what a driven unit shows
THRESHOLD = 2.0
_DRIVEN = 4.0
_PARTS = 4


@dataclass(frozen=True)
class Toy:
    """A toy network: L layers of F units, which read N windows of T tokens.

    gain: the probability that an event causes one of the same unit a layer above. shared: the part of the variance of a
    unit's input that is the same in every layer; it makes layers active together, and nothing is passed on by it.
    """

    gain: float
    shared: float = 0.0
    churn: bool = False
    windows: int = 48
    tokens: int = 24
    layers: int = 4
    units: int = 12

    def network(self, seed: int) -> tuple[LanguageModel, NDArray[np.int64]]:
        """Return the network as a language model, and its tokens [N, T]; no token occurs twice."""
        n_tokens = self.windows * self.tokens
        churn = _normal(seed, b"churn", (self.layers, self.units, self.units)).astype(np.float32)
        causal = _Causal(self, torch.from_numpy(self._embedding(seed)), torch.from_numpy(churn))
        taps = tuple(LayerTaps(b, b.projection, b.projection, b.attention) for b in causal.model.blocks)
        model = LanguageModel(
            causal.requires_grad_(False).eval(),
            None,
            Taps(taps, self.units),
            torch.device("cpu"),
            torch.float32,
            self.tokens,
        )
        return model, np.arange(n_tokens).reshape(self.windows, self.tokens)

    @property
    def spontaneous(self) -> float:
        """Probability that a unit's input alone is an event."""
        from scipy.special import ndtr

        return float(ndtr(-THRESHOLD))

    @property
    def sigma_depth(self) -> float:
        """Events of the next layer that an event put out takes with it: gain, where the input would not cause them anyway.

        Only where ``shared`` is 0, or ``gain`` is: a shared input makes both causes come together.
        """
        return self.gain * (1 - self.spontaneous)

    def offspring(self) -> float:
        """Return the same over all layers above, the mean over events put out in the layers below the last."""
        p, a, n = self.spontaneous, self.sigma_depth, self.layers
        rate, events, total = 0.0, 0.0, 0.0
        for layer in range(n - 1):
            # driven by the layer below or not; what is put out above also ends where the input alone is an event
            rate = p + (1 - p) * self.gain * rate
            events += rate
            total += rate * sum(a**k for k in range(1, n - layer))
        return total / events

    def _embedding(self, seed: int) -> NDArray[np.float32]:
        """Return the stream of every token [N T, 4 L F]: both inputs, gates and room for messages."""
        n_tokens, places = self.windows * self.tokens, self.layers * self.units
        inputs = _normal(seed, b"inputs", (n_tokens, 2 * self.layers, self.units))
        common = _normal(seed, b"shared", (n_tokens, 1, self.units))
        mixed = np.sqrt(1 - self.shared) * inputs + np.sqrt(self.shared) * common
        open_gate = _uniform(seed, b"gates", (n_tokens, places)) < self.gain
        return np.concatenate(
            [mixed.reshape(n_tokens, 2 * places), open_gate, np.zeros((n_tokens, places))], axis=1
        ).astype(np.float32)


def _uniform(seed: int, name: bytes, shape: tuple[int, ...]) -> NDArray[np.float64]:
    drawn = words(root_key(seed, b"toy", name), np.arange(int(np.prod(shape)))).reshape(shape)
    # the upper 53 bits, moved off zero by half a step
    uniform: NDArray[np.float64] = ((drawn >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return uniform


def _normal(seed: int, name: bytes, shape: tuple[int, ...]) -> NDArray[np.float64]:
    from scipy.special import ndtri

    normal: NDArray[np.float64] = ndtri(_uniform(seed, name, shape))
    return normal


class _Block(nn.Module):
    """h + attention(h) + projection(u), attention adding nothing; the projection writes u to the layer's own place for messages."""

    def __init__(self, toy: Toy, layer: int, churn: Tensor) -> None:
        super().__init__()
        n = toy.units
        self.attention = nn.Identity()
        self.projection = nn.Linear(n, n, bias=False)
        self.projection.weight.data = torch.eye(n)
        own = [slice((part * toy.layers + layer) * n, (part * toy.layers + layer + 1) * n) for part in range(_PARTS)]
        self._input, self._other, self._gate, self._writes = own
        self._reads = slice(own[3].start - n, own[3].start) if layer else None
        self._churn = nn.Buffer(churn)
        self._churns = toy.churn

    def forward(self, hidden_states: Tensor) -> Tensor:
        u = hidden_states[..., self._input]
        if self._reads is not None:
            below = hidden_states[..., self._reads]
            if self._churns:
                u = torch.where(below @ self._churn > 0, u, hidden_states[..., self._other])
            driven = (below > THRESHOLD) & (hidden_states[..., self._gate] > 0)
            u = torch.where(driven, u.clamp(min=_DRIVEN), u)
        out: Tensor = hidden_states + self.attention(hidden_states.new_zeros(()))
        out[..., self._writes] += self.projection(u)
        return out


class _Body(nn.Module):
    def __init__(self, toy: Toy, embedding: Tensor, churn: Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding(embedding.shape[0], embedding.shape[1], _weight=embedding)
        self.blocks = [_Block(toy, layer, churn[layer]) for layer in range(toy.layers)]
        self.layers = nn.ModuleList(self.blocks)

    def forward(self, input_ids: Tensor, use_cache: bool = False) -> Any:  # noqa: ARG002
        hidden = self.embedding(input_ids)
        for block in self.blocks:
            hidden = block(hidden)
        return SimpleNamespace(last_hidden_state=hidden)


class _Causal(nn.Module):
    """What a ``LanguageModel`` asks of a causal language model."""

    def __init__(self, toy: Toy, embedding: Tensor, churn: Tensor) -> None:
        super().__init__()
        self.model = _Body(toy, embedding, churn)

    @property
    def base_model(self) -> _Body:
        return self.model

    def get_input_embeddings(self) -> nn.Module:
        return self.model.embedding
