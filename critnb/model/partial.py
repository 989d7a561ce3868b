"""Partial passes: blocks l..L-1 run again from the residual stream that a whole pass left below block l.

Each block is called with the arguments that the whole pass gave it, all but the stream, so that whatever a class of models
hands to its blocks (masks, positions) is there again; and with batches of the same shape, so that every product is summed
in the same order: what a replacement does not change stays as it was to the last bit. So what block l does before it reads
u is done once, however often its u is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from critnb.errors import RerunError
from critnb.model.forward import ForwardPasses, OnBatch, Setting, unreported
from critnb.model.hooks import answering, copied, entering, leaving, noting
from critnb.model.language_model import LanguageModel
from critnb.model.taps import OnUnits, finite, first_tensor, gain_applied, reading_units, residual_stream

# changes u [B, T, F], a copy, in place
Replace = Callable[[Tensor], object]
_SHARED = (
    "running the blocks again from a kept stream does not give what a whole pass gives, so knock-outs are not "
    "available; use a model whose blocks read nothing but the stream below them"
)


@dataclass(frozen=True)
class KeptCall:
    """The arguments of a block in a whole pass, its stream [B, T, H] apart from them."""

    stream: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> KeptCall:
        """Return what a block was called with; raises ModelError where there is no residual stream."""
        return cls(residual_stream(args, kwargs), args, kwargs)

    def on(self, block: nn.Module, stream: Tensor) -> Tensor:
        """Return the output [B, T, H] of a block called with another stream."""
        # forward, not the call: what hooks on a block do to its stream is among the kept arguments already
        if self.args:
            return first_tensor(block.forward(stream, *self.args[1:], **self.kwargs))
        return first_tensor(block.forward(**{**self.kwargs, "hidden_states": stream}))


@dataclass(frozen=True, eq=False)
class KeptPass:
    """One batch of a whole pass, kept: a call for each layer. ``burn_in`` leading tokens are hidden from readers.

    It holds as long as the setting of the pass is applied to the model. ``top`` [B, T, H] is what the last block gave.
    """

    model: LanguageModel
    calls: tuple[KeptCall, ...]
    top: Tensor
    burn_in: int

    @property
    def n_windows(self) -> int:
        """Windows B of the batch."""
        return int(self.top.shape[0])

    @property
    def n_tokens(self) -> int:
        """Tokens T of a window, burn-in included."""
        return int(self.top.shape[1])

    def stream(self, layer: int) -> Tensor:
        """Return the residual stream [B, T, H] below a block; at L, above the last."""
        return self.calls[layer].stream if layer < len(self.calls) else self.top

    def rerun(self, layer: int, on_units: OnUnits, stream: Tensor | None = None) -> None:
        """Run block ``layer`` and those above, from ``stream`` [B, T, H] if given and else from what the whole pass had there.

        ``on_units(m, u)`` gets u [B, T - burn_in, F] of each of them.
        """
        stream = self.stream(layer) if stream is None else stream
        for number in range(layer, self.model.n_layers):
            taps = self.model.taps.layers[number]
            with entering(taps.projection, lambda args, at=number: on_units(at, self.units(args[0]))):  # type: ignore[misc]
                stream = self.calls[number].on(taps.block, stream)

    def units(self, u: Tensor) -> Tensor:
        """Return what a projection reads as [B, T - burn_in, F], in the same memory."""
        # OPT projects windows and tokens in one axis
        return u.view(self.n_windows, self.n_tokens, u.shape[-1])[:, self.burn_in :]

    def replaceable(self, layer: int) -> ReplaceableLayer:
        """Run a block once more and return it with all that it does before its projection, kept."""
        taps, call = self.model.taps.layers[layer], self.calls[layer]
        read: list[tuple[Tensor, ...]] = []
        projected: list[Any] = []
        with (
            noting(taps.attention, copied) as attended,
            noting(taps.mlp) as added,
            entering(taps.projection, read.append),
            leaving(taps.projection, projected.append),
        ):
            call.on(taps.block, call.stream)
        # where an MLP is more than its projection and returns just what that gives, the rest of it need not run again
        ends = taps.mlp is not taps.projection and added[-1] is projected[-1]
        return ReplaceableLayer(self, layer, attended[-1], read[-1], ends_in_projection=ends)


@dataclass(frozen=True, eq=False)
class ReplaceableLayer:
    """A block of a kept pass whose u can be replaced any number of times.

    attention: what its attention returned; ``read`` what its projection was called with.
    """

    kept: KeptPass
    layer: int
    attention: Any
    read: tuple[Tensor, ...]
    ends_in_projection: bool

    def rerun(self, replace: Replace, on_units: OnUnits) -> None:
        """Run the block with another u, and those above; ``on_units(m, u)`` gets u [B, T - burn_in, F] of each above it.

        ``replace`` gets a copy of u [B, T - burn_in, F] and changes it in place; the projection reads the copy.
        """
        kept, taps = self.kept, self.kept.model.taps.layers[self.layer]
        changed = self.read[0].clone()
        replace(kept.units(changed))
        args = (changed, *self.read[1:])
        with ExitStack() as stack:
            stack.enter_context(answering(taps.attention, lambda: copied(self.attention)))
            if self.ends_in_projection:
                stack.enter_context(answering(taps.mlp, lambda: taps.projection(*args)))
            else:
                stack.enter_context(entering(taps.projection, lambda _args: args))
            stream = kept.calls[self.layer].on(taps.block, kept.calls[self.layer].stream)
        if self.layer + 1 < kept.model.n_layers:
            kept.rerun(self.layer + 1, on_units, stream)


OnKept = Callable[[int, KeptPass], object]


@torch.inference_mode()
def each_kept_pass(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    setting: Setting,
    on_kept: OnKept,
    on_units: Callable[[int, int, Tensor], None],
    on_batch: OnBatch = unreported,
) -> None:
    """Run ``tokens`` [N, T] under ``setting``, keep each batch, and call ``on_kept(first, kept)`` under the same setting.

    ``on_units(first, layer, u)`` gets u [B, T - burn_in, F] of the whole pass before that, as ``ForwardPasses.run`` gives it.
    The streams of one batch are held at a time. Raises RerunError where the blocks of the model, run again, do not give
    what a whole pass gives (tried on the first window that a process gets), and what ``ForwardPasses.run`` raises.
    """
    model = passes.model
    model.require_known(tokens)
    with gain_applied(model.taps, setting.intervention, setting.gain):
        for first, ids in passes.batches(tokens):
            if not model.tried.repeatable:
                require_repeatable(model, ids[:1])
                model.tried.repeatable = True
            kept = keep(passes, ids, setting, lambda layer, u, at=first: on_units(at, layer, u))  # type: ignore[misc]
            on_kept(first, kept)
            passes.finished(len(ids))
            on_batch(len(ids))


def keep(passes: ForwardPasses, ids: Tensor, setting: Setting, on_units: OnUnits) -> KeptPass:
    """Return a whole pass over token ids [B, T], kept; its u goes to ``on_units(layer, u)``. Gains are the caller's."""
    model, burn_in = passes.model, passes.burn_in
    with reading_units(model.taps, lambda layer, u: on_units(layer, u[:, burn_in:])):
        kept, last = _whole_pass(model, ids, burn_in)
    if not finite(last):
        passes.name_the_layer(ids, setting)
    return kept


def _whole_pass(model: LanguageModel, ids: Tensor, burn_in: int = 0) -> tuple[KeptPass, Tensor]:
    """Return a whole pass, kept, and the hidden states [B, T, H] that the body gives at its end."""
    calls: dict[int, KeptCall] = {}
    outputs: list[Any] = []

    def hook_of(layer: int) -> Callable[..., None]:
        def hook(_block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls[layer] = KeptCall.of(args, kwargs)

        return hook

    with ExitStack() as stack:
        for layer, taps in enumerate(model.taps.layers):
            stack.callback(taps.block.register_forward_pre_hook(hook_of(layer), with_kwargs=True).remove)
        stack.enter_context(leaving(model.taps.layers[-1].block, outputs.append))
        hidden = model.body(input_ids=ids, use_cache=False).last_hidden_state
    in_order = tuple(calls[layer] for layer in range(model.n_layers))
    return KeptPass(model, in_order, first_tensor(outputs[-1]), burn_in), hidden


def require_repeatable(model: LanguageModel, ids: Tensor) -> None:
    """Raise RerunError where a rerun on token ids [B, T] is not, bit for bit, what whole passes give.

    A rerun from layer 0 is compared with a whole pass, and one with all of u set to zero in the first block of each kind
    with a whole pass of the same. The latter tell where blocks hand each other anything besides the stream, which would
    stay as the first pass left it.
    """
    whole, again = _UnitsRead(), _UnitsRead()
    with reading_units(model.taps, whole):
        base, _ = _whole_pass(model, ids)
    base.rerun(0, again)
    _require_equal(again, whole)
    for layer in _first_of_each_kind(model):
        whole, again = _UnitsRead(), _UnitsRead()
        with _zeroed(model.taps.layers[layer].projection), reading_units(model.taps, whole):
            _whole_pass(model, ids)
        base.replaceable(layer).rerun(torch.zero_, again)
        _require_equal(again, whole)


def _first_of_each_kind(model: LanguageModel) -> list[int]:
    """Return the first layer, of those below the last, of each combination of classes of block, attention and MLP."""
    kinds: dict[tuple[type, ...], int] = {}
    for number, taps in enumerate(model.taps.layers[:-1]):
        kinds.setdefault((type(taps.block), type(taps.attention), type(taps.mlp)), number)
    return list(kinds.values())


def _zeroed(projection: nn.Module) -> AbstractContextManager[None]:
    return entering(projection, lambda args: (torch.zeros_like(args[0]), *args[1:]))


def _require_equal(again: _UnitsRead, whole: _UnitsRead) -> None:
    for layer, u in again.units.items():
        if not torch.equal(u, whole.units[layer]):
            raise RerunError(f"layer {layer}: {_SHARED}")


class _UnitsRead:
    def __init__(self) -> None:
        self.units: dict[int, Tensor] = {}

    def __call__(self, layer: int, u: Tensor) -> None:
        self.units[layer] = u
