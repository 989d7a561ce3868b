"""Find the taps of a model: by its row in the table of architectures, or by a search that the model checks confirm.

The search proposes and the checks decide. Proposed as the MLP's output projection is a projection to the stream's width,
fed by something wider, in a part of the block that treats every token alone; as the branches' outputs, the modules that
could stand between it, or the part that mixes tokens, and the stream. The first proposal that is sound in every block is
taken, as a row that the table could hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from critnb.errors import CritnbError, ModelError
from critnb.model.architectures import Architecture, architecture_of
from critnb.model.blocks import BlockCall, attention_linearity, each_block, mlp_linearity
from critnb.model.checks import probe_tokens
from critnb.model.language_model import decoder_of
from critnb.model.refusals import refuse_experts
from critnb.model.taps import (
    LayerTaps,
    Taps,
    TapSource,
    first_tensor,
    input_width,
    residual_stream,
    resolve,
    resolve_layer,
)

_BUILT_OTHERWISE = "it is built otherwise"
_JUDGES = (mlp_linearity, attention_linearity)


def find_taps(model: Any, model_type: str) -> Taps:
    """Return the taps of a causal language model; raises ModelError where it has none that are sound."""
    refuse_experts(model, model_type)
    row = architecture_of(model_type)
    if row is not None:
        return resolve(model, row, TapSource.ROW)
    return resolve(model, discover(model, model_type), TapSource.DISCOVERY)


@torch.inference_mode()
def discover(model: Any, model_type: str) -> Architecture:
    """Return a row for a model that no row names, both of its branches sound in every block on random tokens.

    Raises ModelError that says what was tried and how to add a row.
    """
    path, blocks = _blocks(model, model_type)
    try:
        return _search(model, model_type, path, blocks)
    except CritnbError:
        raise
    except Exception as error:
        # the code of an unknown model may fail where its parts are called one by one
        raise _not_found(model_type, f"blocks {path}, {type(error).__name__}: {str(error)[:100]}") from error


def _search(model: Any, model_type: str, path: str, blocks: nn.ModuleList) -> Architecture:
    ids = torch.from_numpy(probe_tokens(model.config, None)).to(next(model.parameters()).device)
    # of a block whose taps are sought only the block itself is used
    unknown = [LayerTaps(block, block, block, block) for block in blocks]
    try:
        calls = each_block(
            lambda: decoder_of(model)(input_ids=ids, use_cache=False), unknown, lambda _layer, call: call
        )
        residual_stream(calls[0].args, calls[0].kwargs)
    except ModelError as error:
        raise _not_found(model_type, f"blocks {path}, {error}") from None
    of_layer: dict[int, list[Architecture]] = {}
    failures: list[tuple[int, str]] = []

    def proposals(layer: int) -> list[Architecture]:
        if layer not in of_layer:
            of_layer[layer] = list(_proposals(calls[layer], model_type, path))
        return of_layer[layer]

    for proposal in proposals(0):
        found = _fitted(calls, proposal, proposals)
        if isinstance(found, Architecture):
            return found
        layer, reason = found
        failures.append(
            (layer, f"{proposal.mlp} as MLP and {proposal.attention} as attention: layer {layer}: {reason}")
        )
    if not failures:
        raise _not_found(model_type, f"blocks {path}, no MLP projection beside attention")
    _, best = max(failures, key=lambda each: each[0])
    raise _not_found(model_type, f"blocks {path}, {len(failures)} tried, best {best}")


def _not_found(model_type: str, tried: str) -> ModelError:
    return ModelError(
        f"model type {model_type!r} has no recognisable MLP: no row names it and a search found none ({tried})\n"
        "use a model type that spec/06_ARCHITECTURES.md lists, or add a row to critnb/model/architectures.py"
    )


def _blocks(model: Any, model_type: str) -> tuple[str, nn.ModuleList]:
    wanted = getattr(model.config, "num_hidden_layers", None)
    found = [
        (sum(parameter.numel() for parameter in module.parameters()), path, module)
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == wanted
    ]
    if not found:
        raise _not_found(model_type, f"no list of {wanted} blocks")
    _, path, module = max(found, key=lambda each: each[0])
    return path, module


def _fitted(
    calls: list[BlockCall], proposal: Architecture, proposals: Callable[[int], list[Architecture]]
) -> Architecture | tuple[int, str]:
    """Return the proposal, with the branches of blocks of another kind, or the layer where it fails and why."""
    for layer, call in enumerate(calls):
        failure = _failure(layer, call, proposal)
        if failure == _BUILT_OTHERWISE:
            for other in proposals(layer):
                alike = (other.projection, other.multiplier) == (proposal.projection, proposal.multiplier)
                wider = replace(proposal, others=(*proposal.others, (other.mlp, other.attention)))
                if alike and not _failure(layer, call, wider):
                    proposal, failure = wider, ""
                    break
        if failure:
            return layer, failure
    return proposal


def _failure(layer: int, call: BlockCall, proposal: Architecture) -> str:
    try:
        tapped = replace(call, taps=resolve_layer(call.taps.block, proposal))
    except ModelError:
        return _BUILT_OTHERWISE
    return next((judged.reason for judge in _JUDGES if not (judged := judge(layer, tapped)).passed), "")


@dataclass(frozen=True, eq=False)
class _Part:
    """A module that ran once in a block, with what it was given and what it gave."""

    path: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Tensor

    def holds(self, other: _Part) -> bool:
        """Tell whether another part is this one or lies in it."""
        return f"{other.path}.".startswith(f"{self.path}.")

    def projects_to(self, width: int) -> bool:
        """Tell whether this is a projection to a width from anything at all."""
        return input_width(self.module) is not None and self.output.shape[-1] == width

    def mixes_tokens(self, stream: Tensor) -> bool:
        """Tell whether another first token changes what this part gives to later ones."""

        def changed(value: Any) -> Any:
            if not isinstance(value, Tensor) or value.shape != stream.shape:
                return value
            return torch.cat([1 - value[:, :1], value[:, 1:]], dim=1)

        if self.output.shape != stream.shape:
            return False
        args = tuple(map(changed, self.args))
        again = first_tensor(self.module.forward(*args, **{key: changed(value) for key, value in self.kwargs.items()}))
        return not torch.equal(again[:, 1:], self.output[:, 1:])


def _parts(call: BlockCall) -> list[_Part]:
    """Return the modules of a block that ran once, in the order in which they finished."""
    ran: list[_Part] = []

    def hook_of(path: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            tensor = first_tensor(output)
            if isinstance(tensor, Tensor):
                ran.append(_Part(path, module, args, kwargs, tensor.clone()))

        return hook

    with ExitStack() as stack:
        for path, module in call.taps.block.named_modules():
            if path:
                stack.callback(module.register_forward_hook(hook_of(path), with_kwargs=True).remove)
        call()
    paths = [part.path for part in ran]
    return [part for part in ran if paths.count(part.path) == 1]


def _proposals(call: BlockCall, model_type: str, path: str) -> Iterator[Architecture]:
    stream = residual_stream(call.args, call.kwargs)
    parts, width = _parts(call), stream.shape[-1]
    outer = [part for part in parts if not any(other.holds(part) for other in parts if other is not part)]
    mixing = [part for part in outer if part.mixes_tokens(stream)]
    alone = [part for part in outer if part not in mixing]
    inner = (part for part in parts if part.projects_to(width) and any(mixer.holds(part) for mixer in mixing))
    attentions = [*mixing, *alone, *inner] if mixing else []
    factors = [None, *(name for name, value in vars(call.taps.block).items() if isinstance(value, float) and value)]
    for projection in reversed([part for part in parts if part.projects_to(width)]):
        if (input_width(projection.module) or 0) <= width:
            continue
        for home in (part for part in alone if part.holds(projection)):
            mlps = [home, *alone[alone.index(home) + 1 :], projection]
            for factor, mlp, attention in product(factors, mlps, attentions):
                yield Architecture(
                    (model_type,), path, projection.path, mlp=mlp.path, attention=attention.path, multiplier=factor
                )
