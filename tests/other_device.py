"""A device beside the processor, made up: its tensors are computed here, but are reached as those of a GPU are.

torch lets a tensor say that it lies on the device ``meta``. One of ``_There`` does, and holds what it stands for as a tensor
of the processor. Inside ``OtherDevice`` every operation on one comes here, and is counted where a GPU would make the host
wait: a copy to the processor is a transfer, and so is each operation whose result the host needs to go on, such as ``item``,
``bool`` and ``nonzero``, whose length is that of its result. As with a GPU, a tensor of the processor cannot be mixed with one
from there, numbers apart, and numpy cannot read one. Copies to the device are counted as uploads.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

_DEVICE = torch.device("meta")
# the host has to know what these give before it can go on
_AWAITED = ("_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2")


class _There(Tensor):
    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> _There:
        made: _There = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=_DEVICE,
        )  # fmt: skip
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, _types: Any, args: Any = (), _kwargs: Any = None) -> Any:
        raise RuntimeError(f"{function} on another device, outside of OtherDevice")


class OtherDevice(TorchDispatchMode):
    """Inside it tensors can be ``put`` on the device; what crosses over is counted in ``seen``."""

    def __init__(self, *, has_float64: bool = True) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()
        self._has_float64 = has_float64

    def put(self, tensor: Tensor) -> Tensor:
        """Return a tensor as one of the device; not counted."""
        return _There(tensor)

    def __torch_dispatch__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # arguments by name, so that a device is found wherever it stands
        names = [each.name for each in function._schema.arguments]
        kwargs = {**dict(zip(names[1:], args[1:], strict=False)), **(kwargs or {})}
        args = args[:1]
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        to = kwargs.get("device")
        is_there = any(isinstance(each, _There) for each in tensors)
        if not is_there and to != _DEVICE:
            return function(*args, **kwargs)
        name = function._schema.name.removeprefix("aten::")
        if to is not None:
            kwargs["device"] = torch.device("cpu")
        if to == torch.device("cpu"):
            assert name in ("_to_copy", "to"), name
            self.seen["transfers"] += 1
        elif to == _DEVICE and tensors and not is_there:
            self.seen["uploads"] += 1
        elif name in _AWAITED:
            self.seen["transfers"] += 1
        elif any(not isinstance(each, _There) and each.dim() for each in tensors):
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        result = function(*tree_map(_held, args), **tree_map(_held, kwargs))
        if to == torch.device("cpu"):
            return result
        return tree_map(self._wrapped, result)

    def _wrapped(self, result: Any) -> Any:
        if not isinstance(result, Tensor):
            return result
        if result.dtype is torch.float64 and not self._has_float64:
            raise TypeError("this device has no float64")
        return _There(result)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, _There) else value
