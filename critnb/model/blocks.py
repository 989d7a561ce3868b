"""What one decoder block adds to the residual stream, checked by calling the block again with other gains.

A block is sound where it returns its input + attention + MLP, each of them the output of a tapped module: then a gain
on a tap is a gain on what the branch adds, whatever the architecture is called. Every condition is judged value by value
against the rounding of the sums behind that value, so that a few huge values of the stream hide nothing elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from critnb.errors import ModelError
from critnb.model.taps import LayerTaps, first_tensor, reading_output, residual_stream, scaled_output

# a power of two, so that the scaled contribution has no rounding of its own; a small one, so that float16 holds it
PROBE_GAIN = 2.0
# half an eps each: two sums of three terms, the multiplications of a branch, and the norm or cast of a module's output
_ROUNDINGS = 8.0

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class LayerLinearity:
    """How far layer l is from what its taps promise, where it is worst, and how much of it float rounding explains.

    ``contribution`` is the largest absolute value that the branch adds; ``reason`` says what fails first, if anything.
    """

    layer: int
    deviation: float
    tolerance: float
    contribution: float
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether every deviation is rounding and the contribution is there at all."""
        return not self.reason


@dataclass(frozen=True)
class BlockCall:
    """A block with the arguments that a forward pass gave it; calling it runs the block again under gains."""

    taps: LayerTaps
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def stream(self) -> Tensor:
        """The residual stream [B, T, H] that enters the block, in float64."""
        return _wide(residual_stream(self.args, self.kwargs))

    def __call__(self, *, mlp: float = 1.0, attention: float = 1.0, projection: float = 1.0) -> Tensor:
        """Return the block's output [B, T, H] in float64 with the outputs of its taps multiplied."""
        gains = ((self.taps.mlp, mlp), (self.taps.attention, attention), (self.taps.projection, projection))
        with ExitStack() as stack:
            for module, gain in gains:
                if gain != 1.0:
                    stack.enter_context(scaled_output(module, gain))
            return self._run()

    def outputs(self, modules: Iterable[nn.Module]) -> dict[nn.Module, list[Tensor]]:
        """Return what each module gives in this block, one tensor per call of it, in float64."""
        found: dict[nn.Module, list[Tensor]] = {module: [] for module in modules}
        with ExitStack() as stack:
            for module, outputs in found.items():
                stack.enter_context(reading_output(module, _keeping(outputs)))
            self._run()
        return found

    def _run(self) -> Tensor:
        # forward, not the call: the hook that made this record must not see it
        return _wide(first_tensor(self.taps.block.forward(*self.args, **self.kwargs)))


def _keeping(outputs: list[Tensor]) -> Callable[[Tensor], None]:
    return lambda output: outputs.append(_wide(output))


def _wide(tensor: Tensor) -> Tensor:
    # not every device has float64
    return tensor.detach().cpu().double()


@torch.inference_mode()
def each_block(
    run: Callable[[], object], layers: Sequence[LayerTaps], examine: Callable[[int, BlockCall], _Found]
) -> list[_Found]:
    """Return ``examine(layer, call)`` of every block, made while ``run`` does one forward pass of the model.

    Raises ModelError where a block does not run exactly once.
    """
    found: list[list[_Found]] = [[] for _ in layers]

    def hook_of(layer: int) -> Callable[..., None]:
        def hook(_block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], _output: Any) -> None:
            found[layer].append(examine(layer, BlockCall(layers[layer], args, kwargs)))

        return hook

    with ExitStack() as stack:
        for layer, taps in enumerate(layers):
            stack.callback(taps.block.register_forward_hook(hook_of(layer), with_kwargs=True).remove)
        run()
    for layer, results in enumerate(found):
        if len(results) != 1:
            raise ModelError(f"layer {layer} runs {len(results)} times in a forward pass; a gain must apply once")
    return [results[0] for results in found]


Judge = Callable[[int, BlockCall], LayerLinearity]


def mlp_linearity(layer: int, call: BlockCall) -> LayerLinearity:
    """Judge the MLP's taps: a gain g moves the block's output by (g - 1) * contribution, and u makes all of it."""
    return _judged(layer, call, call.taps.mlp, _mlp_conditions)


def attention_linearity(layer: int, call: BlockCall) -> LayerLinearity:
    """Judge the attention's tap: with the MLP at gain 0, a gain g moves the output by (g - 1) * contribution.

    With the MLP on, a sequential block would not do: its MLP reads the stream that attention has changed.
    """
    return _judged(layer, call, call.taps.attention, _attention_conditions)


_Condition = tuple[Tensor, str]
_NOT_ITS_INPUT = "with both branches at gain 0 the block does not return its input"


def _mlp_conditions(call: BlockCall, contribution: Tensor) -> Iterator[_Condition]:
    moved = call(mlp=PROBE_GAIN) - call()
    yield moved - (PROBE_GAIN - 1) * contribution, "a gain on the MLP does not move the block by (g - 1) x contribution"
    silent = call(mlp=0.0, attention=0.0)
    yield silent - call.stream, _NOT_ITS_INPUT
    left = call(projection=0.0, attention=0.0) - silent
    # a norm with a bias after the MLP still adds that bias, the same to every token
    yield left - left[:1, :1], "the projection whose input is read does not carry all that the MLP adds"


def _attention_conditions(call: BlockCall, contribution: Tensor) -> Iterator[_Condition]:
    moved = call(mlp=0.0, attention=PROBE_GAIN) - call(mlp=0.0)
    reason = "a gain on attention does not move the block by (g - 1) x contribution"
    yield moved - (PROBE_GAIN - 1) * contribution, reason
    yield call(mlp=0.0, attention=0.0) - call.stream, _NOT_ITS_INPUT


def _judged(
    layer: int, call: BlockCall, tap: nn.Module, conditions: Callable[[BlockCall, Tensor], Iterator[_Condition]]
) -> LayerLinearity:
    taps, stream = call.taps, call.stream
    branches = {}
    for module, outputs in call.outputs((taps.projection, taps.mlp, taps.attention)).items():
        name = type(module).__name__
        if len(outputs) != 1:
            return _unfit(layer, f"{name} runs {len(outputs)} times in the block; a gain must apply once")
        if outputs[0].numel() != stream.numel() or outputs[0].shape[-1] != stream.shape[-1]:
            return _unfit(layer, f"{name} gives {list(outputs[0].shape)}, the residual stream is {list(stream.shape)}")
        branches[module] = outputs[0].view_as(stream) * taps.multiplier
    contribution = branches[tap]
    summed = stream.abs() + PROBE_GAIN * (branches[taps.mlp].abs() + branches[taps.attention].abs())
    eps = torch.finfo(residual_stream(call.args, call.kwargs).dtype).eps
    return _worst(layer, contribution, _ROUNDINGS * eps / 2 * summed, conditions(call, contribution))


def _unfit(layer: int, reason: str) -> LayerLinearity:
    return LayerLinearity(layer, float("inf"), 0.0, 0.0, reason)


def _worst(layer: int, contribution: Tensor, tolerance: Tensor, conditions: Iterator[_Condition]) -> LayerLinearity:
    largest = float(contribution.abs().max())
    if not math.isfinite(largest):
        return _unfit(layer, "what the branch adds is not finite")
    if not bool(((PROBE_GAIN - 1) * contribution.abs() > tolerance).any()):
        lost = "what the branch adds is lost in rounding" if largest > 0 else "the branch adds nothing"
        return LayerLinearity(layer, float("inf"), float(tolerance.max()), largest, lost)
    judged = LayerLinearity(layer, 0.0, 0.0, largest)
    worst = -1.0
    for deviation, reason in conditions:
        # where nothing but zeros was summed the tolerance is 0: any deviation there is infinitely too much
        ratio = torch.where(deviation == 0, 0.0, deviation.abs() / tolerance)
        ratio = torch.where(ratio.isnan(), torch.inf, ratio)
        place = int(ratio.argmax())
        here = float(ratio.view(-1)[place])
        found = float(deviation.abs().view(-1)[place]), float(tolerance.view(-1)[place])
        if here > 1:
            return LayerLinearity(layer, *found, largest, reason)
        if here > worst:
            worst, judged = here, LayerLinearity(layer, *found, largest)
    return judged
