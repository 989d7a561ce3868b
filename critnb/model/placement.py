"""Where a model's weights go: to one device, or, under ``compute.device_map: auto``, whole blocks to all devices that there are.

A block is computed on one device, so u of a layer is whole wherever it is read. Blocks that no device has room for wait in the
host's memory, and are sent to a device each time that they run: hooks of accelerate do it around the forward of a module.
Tensor parallelism divides a layer's units instead, and is not supported.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from critnb.data import ModelFiles
from critnb.errors import ModelError
from critnb.params import Compute
from critnb.system.extras import LARGE

_KEY = "compute.device_map auto"
# of the free memory: what is left is for a batch, and on the host for what loading needs for a moment
_OF_A_CARD, _OF_THE_HOST = 0.8, 0.9
_HOST, _DISK = "cpu", "disk"
# a module's own attributes that hooks put there
_OF_HOOKS = ("_hf_hook", "_old_forward", "forward")


def placing(compute: Compute, device: torch.device, files: ModelFiles) -> dict[str, Any]:
    """Return what loading is to be told of the place of weights.

    One device gets them without a copy of all in the host's memory where accelerate is installed. Raises DependencyError where
    ``device_map`` needs it and it is not, and ModelError where cards and memory hold fewer bytes than the weights have.
    """
    if compute.device_map == "none":
        return {"device_map": {"": device}} if device.type != _HOST and LARGE.is_there() else {}
    LARGE.require(_KEY)
    memory = _memory()
    if sum(memory.values()) < files.weights_bytes:
        raise _no_room(files, memory)
    return {"device_map": "auto", "max_memory": memory}


def placed(causal: Any, files: ModelFiles) -> dict[str, str]:
    """Return the device of each part of a model that is divided among several, by the part's name; nothing for others.

    Raises ModelError where parts would have to wait on a disk.
    """
    parts = _map_of(causal)
    if _DISK in parts.values():
        raise _no_room(files, _memory())
    found = {name: str(_device(each)) for name, each in parts.items()}
    return found if len(set(found.values())) > 1 else {}


def main_device(causal: Any, device: torch.device) -> torch.device:
    """Return the device that token ids go to: the first one that is not the host of those that a model is divided among."""
    devices = list(map(_device, _map_of(causal).values())) or [device]
    return next((each for each in devices if each.type != _HOST), devices[0])


def each_weight(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield names and weights of a model; those that wait elsewhere are there while it is their turn."""
    if not any(weight.is_meta for weight in model.parameters()):
        yield from model.named_parameters()
        return
    from accelerate.utils import align_module_device

    for name, module in model.named_modules():
        with align_module_device(module):
            yield from module.named_parameters(prefix=name, recurse=False)


def float32_copy(block: nn.Module) -> nn.Module:
    """Return a copy of a block in float32, with all its weights where it is computed."""
    if not any(weight.is_meta for weight in block.parameters()):
        return copy.deepcopy(block).float()
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module
    from accelerate.utils import align_module_device

    hooks = [hook for module in block.modules() if (hook := getattr(module, "_hf_hook", None)) is not None]
    with ExitStack() as stack:
        for module in block.modules():
            stack.enter_context(align_module_device(module))
        # hooks hold the weights of the whole model, which are not to be copied
        copied = copy.deepcopy(block, {id(hook): hook for hook in hooks})
    for module in copied.modules():
        for name in _OF_HOOKS:
            vars(module).pop(name, None)
    copied.float()
    add_hook_to_module(copied, AlignDevicesHook(execution_device=next(copied.parameters()).device))
    return copied


def _device(place: Any) -> torch.device:
    if not isinstance(place, int):
        return torch.device(place)
    # a number is that of a device of the kind that this machine has
    kind = torch.accelerator.current_accelerator()
    return torch.device("cuda" if kind is None else kind.type, place)


def _map_of(causal: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(causal, "hf_device_map", {})
    return found


def _memory() -> dict[int | str, int]:
    from accelerate.utils import get_max_memory

    return {
        place: int(free * (_OF_THE_HOST if place == _HOST else _OF_A_CARD)) for place, free in get_max_memory().items()
    }


def _no_room(files: ModelFiles, memory: Mapping[int | str, int]) -> ModelError:
    return ModelError(
        f"{files.id}: the weights take {files.weights_bytes / 1e9:.3g} GB; for these, devices and memory of this machine have "
        f"{sum(memory.values()) / 1e9:.3g} GB\n"
        "use a machine with more, a smaller model, or weights stored in bfloat16"
    )
