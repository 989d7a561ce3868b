"""Taps: the modules of a loaded model where u is read and where a branch's contribution is scaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from critnb.canon import Intervention
from critnb.errors import ModelError
from critnb.language.architectures import Architecture, architecture_of, known_model_types

OnUnits = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class LayerTaps:
    """One decoder block: the block, its MLP's output projection, and the two modules that feed the residual stream."""

    block: nn.Module
    projection: nn.Module
    mlp: nn.Module
    attention: nn.Module


@dataclass(frozen=True)
class Taps:
    """The taps of a model, one entry a layer."""

    layers: tuple[LayerTaps, ...]
    n_units: int

    @property
    def n_layers(self) -> int:
        """Number of layers L."""
        return len(self.layers)


def recognised(model_type: str) -> Architecture:
    """Return the row of a model type; raises ModelError where there is none."""
    row = architecture_of(model_type)
    if row is None:
        known = ", ".join(known_model_types())
        raise ModelError(
            f"model type {model_type!r} has no recognisable MLP: no row of critnb/language/architectures.py names it\n"
            f"use one of {known}, or add a row"
        )
    return row


def find_taps(model: nn.Module, model_type: str) -> Taps:
    """Resolve the taps of a causal language model; raises ModelError where its MLPs cannot be recognised."""
    row = recognised(model_type)
    layers = tuple(_layer_taps(block, row) for block in _resolve(model, row.blocks, row))
    widths = {_input_width(layer.projection) for layer in layers}
    if not layers or len(widths) != 1:
        raise ModelError(
            f"model type {model_type!r}: layers of different MLP widths {sorted(widths)} are not supported"
        )
    return Taps(layers, widths.pop())


def _layer_taps(block: nn.Module, row: Architecture) -> LayerTaps:
    projection, mlp, attention = (_resolve(block, path, row) for path in (row.projection, row.mlp, row.attention))
    return LayerTaps(block, projection, mlp, attention)


def _resolve(root: nn.Module, path: str, row: Architecture) -> Any:
    try:
        return root.get_submodule(path)
    except AttributeError:
        name = "/".join(row.model_types)
        raise ModelError(
            f"a model of type {name} was expected to have {path} in {type(root).__name__}, it has not"
        ) from None


def _input_width(projection: nn.Module) -> int:
    weight = projection.weight
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        raise ModelError(f"the MLP's output projection {type(projection).__name__} has no weight matrix")
    # transformers' Conv1D, which has an nf, keeps its weight transposed: [in, out]
    return int(weight.shape[0 if hasattr(projection, "nf") else 1])


@contextmanager
def reading_units(taps: Taps, on_units: OnUnits) -> Iterator[None]:
    """Call ``on_units(layer, u)`` with u [B, T, F] of every layer of every forward pass inside the context."""

    def hook_of(layer: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
            on_units(layer, args[0])

        return hook

    with ExitStack() as stack:
        for number, layer in enumerate(taps.layers):
            handle = layer.projection.register_forward_pre_hook(hook_of(number))
            stack.callback(handle.remove)
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
    """Scale what the intervention's branch adds to the residual stream by ``gain`` inside the context."""
    with ExitStack() as stack:
        for number in scaled_layers(intervention, taps.n_layers):
            module = getattr(taps.layers[number], _TARGETS[intervention].branch)
            stack.enter_context(scaled_output(module, gain))
        yield


@contextmanager
def scaled_output(module: nn.Module, gain: float) -> Iterator[None]:
    """Multiply a module's output (its first element, where it is a tuple) by ``gain`` inside the context."""

    def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (output[0] * gain, *output[1:])
        return output * gain

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def first_tensor(output: Any) -> Tensor:
    """Return a module's output tensor, whether it comes alone or first in a tuple."""
    tensor: Tensor = output[0] if isinstance(output, tuple) else output
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
