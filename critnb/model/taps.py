"""Taps: the modules of a loaded model where u is read and where a branch's contribution is scaled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from critnb.canon import CANON, Intervention
from critnb.errors import ModelError
from critnb.model.architectures import Architecture

OnUnits = Callable[[int, Tensor], None]


class TapSource(StrEnum):
    """What named the taps: a row of the table of architectures, or a search that the model checks confirmed."""

    ROW = "row"
    DISCOVERY = "discovery"


@dataclass(frozen=True)
class LayerTaps:
    """One decoder block: the block, its MLP's output projection, and the two modules that feed the residual stream.

    What a branch adds to the stream, its contribution, is its module's output times ``multiplier``.
    """

    block: nn.Module
    projection: nn.Module
    mlp: nn.Module
    attention: nn.Module
    multiplier: float = 1.0


@dataclass(frozen=True)
class Taps:
    """The taps of a model, one entry per layer."""

    layers: tuple[LayerTaps, ...]
    n_units: int
    source: TapSource = TapSource.ROW

    @property
    def n_layers(self) -> int:
        """Number of layers L."""
        return len(self.layers)

    @property
    def mixed(self) -> tuple[str, ...]:
        """Names of the parts with weight matrices that some blocks have and others have not; empty in a model of one kind."""
        kinds: list[set[str]] = [
            {
                f"{name} ({type(part).__name__})"
                for name, part in layer.block.named_children()
                if any(weight.dim() > 1 for weight in part.parameters())
            }
            for layer in self.layers
        ]
        return tuple(sorted(set().union(*kinds) - kinds[0].intersection(*kinds)))

    def refuse_mixed(self, interventions: Iterable[Intervention]) -> None:
        """Raise ModelError where an intervention scales attention and not every block has the same kind of it."""
        if Intervention.ATTN_GLOBAL in interventions and self.mixed:
            raise ModelError(
                f"gain.interventions: {Intervention.ATTN_GLOBAL} has no meaning in this model, whose blocks mix tokens in "
                f"different ways: {', '.join(self.mixed)}\ntake {Intervention.ATTN_GLOBAL} out of gain.interventions"
            )


def resolve(model: nn.Module, row: Architecture, source: TapSource) -> Taps:
    """Return the taps that a row names in a causal language model.

    Raises ModelError where a module is not there, where layers share one, or where their MLPs differ in width.
    """
    name = f"model type {'/'.join(row.model_types)!r}"
    layers = tuple(resolve_layer(block, row) for block in _module(model, row.blocks, name))
    for part in ("block", "projection", "mlp", "attention"):
        if len({id(getattr(layer, part)) for layer in layers}) != len(layers):
            raise ModelError(f"{name}: layers share their {part} module, so a gain would apply more than once to it")
    widths = {input_width(layer.projection) for layer in layers}
    if len(widths) != 1:
        raise ModelError(f"{name}: layers of different MLP widths {sorted(map(str, widths))} are not supported")
    width = widths.pop()
    if width is None:
        raise ModelError(f"{name}: {row.projection} is not a projection with a weight matrix")
    return Taps(layers, width, source)


def resolve_layer(block: nn.Module, row: Architecture) -> LayerTaps:
    """Return the taps of one block; raises ModelError where a module is not there."""
    name = f"model type {'/'.join(row.model_types)!r}"
    first = row.mlp, row.attention
    branches = next((pair for pair in (first, *row.others) if all(_has(block, path) for path in pair)), first)
    projection, mlp, attention = (_module(block, path, name) for path in (row.projection, *branches))
    multiplier = 1.0 if row.multiplier is None else float(getattr(block, row.multiplier))
    return LayerTaps(block, projection, mlp, attention, multiplier)


def _has(block: nn.Module, path: str) -> bool:
    try:
        block.get_submodule(path)
    except AttributeError:
        return False
    return True


def _module(root: nn.Module, path: str, name: str) -> Any:
    try:
        return root.get_submodule(path)
    except AttributeError:
        raise ModelError(f"{name} was expected to have {path} in {type(root).__name__}, it has not") from None


def input_width(projection: nn.Module) -> int | None:
    """Return how many inputs a projection has, or None for a module that is none."""
    weight = getattr(projection, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        return None
    # transformers' Conv1D, which has an nf, keeps its weight transposed: [in, out]
    return int(weight.shape[0 if hasattr(projection, "nf") else 1])


def residual_stream(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """Return the residual stream [B, T, H] among the arguments that a block was called with; ModelError if it is not there."""
    stream = args[0] if args else kwargs.get("hidden_states")
    if not isinstance(stream, Tensor) or stream.dim() != 3:
        raise ModelError("a decoder block is not called with one residual stream [B, T, H]")
    return stream


@contextmanager
def reading_units(taps: Taps, on_units: OnUnits) -> Iterator[None]:
    """Call ``on_units(layer, u)`` with u [B, T, F] of every layer of every forward pass inside the context."""
    with ExitStack() as stack:
        for number, layer in enumerate(taps.layers):
            stack.enter_context(_reading_units_of(layer, number, on_units))
        yield


@contextmanager
def _reading_units_of(taps: LayerTaps, number: int, on_units: OnUnits) -> Iterator[None]:
    batch: list[torch.Size] = [torch.Size()]

    def enter(_block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        batch[0] = residual_stream(args, kwargs).shape[:2]

    def read(_projection: nn.Module, args: tuple[Tensor, ...]) -> None:
        u = args[0]
        # OPT projects windows and tokens in one axis
        on_units(number, u.view(*batch[0], u.shape[-1]) if u.dim() == 2 else u)

    with ExitStack() as stack:
        stack.callback(taps.block.register_forward_pre_hook(enter, with_kwargs=True).remove)
        stack.callback(taps.projection.register_forward_pre_hook(read).remove)
        yield


@dataclass(frozen=True)
class _Target:
    """What an intervention scales: a branch, in a third (0, 1, 2) of the layers or in all of them."""

    branch: str
    third: int | None = None


_TARGETS = {
    Intervention.MLP_GLOBAL: _Target("mlp"),
    Intervention.ATTN_GLOBAL: _Target("attention"),
    Intervention.MLP_BAND_EARLY: _Target("mlp", third=0),
    Intervention.MLP_BAND_MID: _Target("mlp", third=1),
    Intervention.MLP_BAND_LATE: _Target("mlp", third=2),
}


def scaled_layers(intervention: Intervention, n_layers: int) -> range:
    """Return the layers that an intervention scales; a band is the i-th third, its bounds rounded to whole layers."""
    third = _TARGETS[intervention].third
    if third is None:
        return range(n_layers)
    return range(round(n_layers * third / 3), round(n_layers * (third + 1) / 3))


@contextmanager
def gain_applied(taps: Taps, intervention: Intervention, gain: float) -> Iterator[None]:
    """Scale what the intervention's branch adds to the residual stream by ``gain`` inside the context.

    At the baseline nothing is multiplied: a number times one is the number.
    """
    taps.refuse_mixed([intervention])
    with ExitStack() as stack:
        layers = () if gain == CANON.CONST.GAIN_BASELINE else scaled_layers(intervention, taps.n_layers)
        for number in layers:
            module = getattr(taps.layers[number], _TARGETS[intervention].branch)
            stack.enter_context(scaled_output(module, gain))
        yield


@contextmanager
def scaled_output(module: nn.Module, gain: float) -> Iterator[None]:
    """Multiply a module's output (its first element, where it is a tuple or list) by ``gain`` inside the context."""

    def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
        if isinstance(output, tuple | list):
            return type(output)((output[0] * gain, *output[1:]))
        return output * gain

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def first_tensor(output: Any) -> Tensor:
    """Return a module's output tensor, whether it comes alone or first in a tuple or list."""
    tensor: Tensor = output[0] if isinstance(output, tuple | list) else output
    return tensor


@contextmanager
def reading_output(module: nn.Module, on_output: Callable[[Tensor], None]) -> Iterator[None]:
    """Call ``on_output`` with each output of a module inside the context."""
    handle = module.register_forward_hook(lambda _m, _a, output: on_output(first_tensor(output)))
    try:
        yield
    finally:
        handle.remove()


@torch.inference_mode()
def finite(tensor: Tensor) -> bool:
    """Tell whether every value of a tensor is finite."""
    return bool(torch.isfinite(tensor).all())
