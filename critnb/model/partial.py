"""Partial passes: blocks l..L-1 run again from the residual stream that a whole pass left below block l.

Each block is called with the arguments that the whole pass gave it, all but the stream, so that whatever a class of models
hands to its blocks (masks, positions) is there again; and with batches of the same shape, so that every product is summed
in the same order: what a replacement does not change stays as it was to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from critnb.errors import ModelError
from critnb.model.forward import ForwardPasses, OnBatch, Setting, unreported
from critnb.model.language_model import LanguageModel
from critnb.model.taps import LayerTaps, OnUnits, finite, first_tensor, gain_applied, reading_units, residual_stream

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

    It holds as long as the setting of the pass is applied to the model.
    """

    model: LanguageModel
    calls: tuple[KeptCall, ...]
    burn_in: int

    @property
    def n_windows(self) -> int:
        """Windows B of the batch."""
        return int(self.calls[0].stream.shape[0])

    def rerun(self, layer: int, replace: Replace | None, on_units: OnUnits) -> None:
        """Run block ``layer`` and those above; ``on_units(m, u)`` gets u [B, T - burn_in, F] of each layer above it.

        ``replace`` gets a copy of u [B, T - burn_in, F] of ``layer`` and changes it in place; the projection reads the copy.
        Without it, ``on_units`` gets that layer's u as well.
        """
        stream = self.calls[layer].stream
        first = layer if replace is None else layer + 1
        for number in range(layer, self.model.n_layers):
            taps = self.model.taps.layers[number]
            with ExitStack() as stack:
                if number >= first:
                    stack.enter_context(_reading(taps, stream.shape, self.burn_in, number, on_units))
                elif replace is not None:
                    stack.enter_context(_replaced(taps, stream.shape, self.burn_in, replace))
                stream = self.calls[number].on(taps.block, stream)


@contextmanager
def _reading(taps: LayerTaps, shape: torch.Size, burn_in: int, number: int, on_units: OnUnits) -> Iterator[None]:
    def read(_projection: nn.Module, args: tuple[Tensor, ...]) -> None:
        on_units(number, args[0].view(*shape[:2], args[0].shape[-1])[:, burn_in:])

    handle = taps.projection.register_forward_pre_hook(read)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _replaced(taps: LayerTaps, shape: torch.Size, burn_in: int, replace: Replace) -> Iterator[None]:
    def put(_projection: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        changed = args[0].clone()
        # OPT projects windows and tokens in one axis
        replace(changed.view(*shape[:2], changed.shape[-1])[:, burn_in:])
        return (changed, *args[1:])

    handle = taps.projection.register_forward_pre_hook(put)
    try:
        yield
    finally:
        handle.remove()


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
    The streams of one batch are held at a time. Raises ModelError where the blocks of the model, run again, do not give
    what a whole pass gives (tried on the first batch), and what ``ForwardPasses.run`` raises.
    """
    model = passes.model
    model.require_known(tokens)
    with gain_applied(model.taps, setting.intervention, setting.gain):
        for first, ids in passes.batches(tokens):
            if first == 0:
                require_repeatable(model, ids[:1])
            kept = keep(passes, ids, setting, lambda layer, u, at=first: on_units(at, layer, u))  # type: ignore[misc]
            on_kept(first, kept)
            passes.finished(len(ids))
            on_batch(len(ids))


def keep(passes: ForwardPasses, ids: Tensor, setting: Setting, on_units: OnUnits) -> KeptPass:
    """Return a whole pass over token ids [B, T], kept; its u goes to ``on_units(layer, u)``. Gains are the caller's."""
    model, burn_in = passes.model, passes.burn_in
    with reading_units(model.taps, lambda layer, u: on_units(layer, u[:, burn_in:])):
        calls, last = _whole_pass(model, ids)
    if not finite(last):
        passes.name_the_layer(ids, setting)
    return KeptPass(model, calls, burn_in)


def _whole_pass(model: LanguageModel, ids: Tensor) -> tuple[tuple[KeptCall, ...], Tensor]:
    found: dict[int, KeptCall] = {}

    def hook_of(layer: int) -> Callable[..., None]:
        def hook(_block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            found[layer] = KeptCall.of(args, kwargs)

        return hook

    with ExitStack() as stack:
        for layer, taps in enumerate(model.taps.layers):
            stack.callback(taps.block.register_forward_pre_hook(hook_of(layer), with_kwargs=True).remove)
        hidden = model.body(input_ids=ids, use_cache=False).last_hidden_state
    return tuple(found[layer] for layer in range(model.n_layers)), hidden


def require_repeatable(model: LanguageModel, ids: Tensor) -> None:
    """Raise ModelError where a rerun on token ids [B, T] is not, bit for bit, what whole passes give.

    Two reruns from layer 0 are compared with whole passes: one as it was, and one with all of u at layer 0 set to zero. The
    second tells where blocks hand each other anything besides the stream, which would stay as the first pass left it.
    """
    for changed in (False, True):
        whole, again = _UnitsRead(), _UnitsRead()
        with ExitStack() as stack:
            if changed:
                stack.enter_context(_replaced(model.taps.layers[0], ids.shape, 0, torch.zero_))
            stack.enter_context(reading_units(model.taps, whole))
            calls, _ = _whole_pass(model, ids)
        if not changed:
            base = KeptPass(model, calls, 0)
        base.rerun(0, torch.zero_ if changed else None, again)
        for layer, u in again.units.items():
            if not torch.equal(u, whole.units[layer]):
                raise ModelError(f"layer {layer}: {_SHARED}")


class _UnitsRead:
    def __init__(self) -> None:
        self.units: dict[int, Tensor] = {}

    def __call__(self, layer: int, u: Tensor) -> None:
        self.units[layer] = u
