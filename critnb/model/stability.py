"""Growth of small perturbations of the residual stream from block to block, relative to the stream.

Finite differences with renormalisation after each block (Benettin, Galgani, Giorgilli and Strelcyn 1980, Meccanica 15, 9).
They are central and in float32: rounding of half precision would drown them, so that blocks of such models are run as
float32 copies, one at a time. Their weights are those of the model, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor, nn

from critnb.lattice.randomness import root_key, words
from critnb.model.forward import ForwardPasses, OnBatch, Setting, unreported
from critnb.model.partial import KeptCall, KeptPass, each_kept_pass
from critnb.model.placement import float32_copy

# relative to the stream: rounding of float32 is some 1e-4 of it, what is not linear some 1e-6
STEP = 1e-3
# the step that the first direction is followed with once more: in the linear regime both give the same growth
WIDE_STEP = 4e-3


@dataclass(frozen=True, eq=False)
class Growth:
    """log_growth float64 [N, K, L]: nats by which block l lets direction k grow, relative to the stream; and a check.

    wide float64 [N, L]: direction 0 followed with ``WIDE_STEP``.
    """

    log_growth: NDArray[np.float64]
    wide: NDArray[np.float64]

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays by name, as a checkpoint holds them."""
        return {"log_growth": self.log_growth, "wide": self.wide}


def stability(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    setting: Setting,
    *,
    directions: int,
    seed: int,
    seq_id: NDArray[np.integer],
    on_batch: OnBatch = unreported,
) -> Growth:
    """Return how ``directions`` random perturbations of each window of ``tokens`` [N, T] grow under ``setting``.

    The size of a perturbation is the root of the mean over tokens of |delta|^2 / |h|^2, so that a few tokens with a huge
    stream do not stand for all. Tokens of the burn-in are not perturbed. ``seq_id`` [N] and ``seed`` key the directions.
    Raises what ``each_kept_pass`` raises.
    """
    followed = Disturbances(passes, tokens, seq_id=seq_id, directions=directions, seed=seed)
    each_kept_pass(passes, tokens, setting, followed, lambda *_: None, on_batch)
    return followed.growth


class Disturbances:
    """Follows the directions of ``stability``: what ``each_kept_pass`` calls for each batch; then ``growth`` is whole."""

    def __init__(
        self,
        passes: ForwardPasses,
        tokens: NDArray[np.int64],
        *,
        seq_id: NDArray[np.integer],
        directions: int,
        seed: int,
    ) -> None:
        n_layers = passes.model.n_layers
        self.growth = Growth(np.empty((len(tokens), directions, n_layers)), np.empty((len(tokens), n_layers)))
        self._seq_id, self._directions, self._seed = seq_id, directions, seed

    def __call__(self, first: int, kept: KeptPass) -> None:
        """Follow them through a batch whose first window is row ``first``."""
        rows = slice(first, first + kept.n_windows)
        found = np.stack(list(_growths(kept, self._seq_id[rows], self._directions, self._seed)), axis=-1)
        self.growth.log_growth[rows], self.growth.wide[rows] = found[: self._directions].swapaxes(0, 1), found[-1]


@torch.inference_mode()
def _growths(kept: KeptPass, seq_id: NDArray[np.integer], directions: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield the log growth [K + 1, B] of each block, the last of them of direction 0 with the wide step."""
    stream = kept.stream(0).float()
    steps = [STEP] * directions + [WIDE_STEP]
    tracks = [_direction(stream, seq_id, number, seed) for number in range(directions)]
    tracks.append(tracks[0].clone())
    for track in tracks:
        track[:, : kept.burn_in] = 0
    tracks = [_resized(track, _size(track, stream), step) for track, step in zip(tracks, steps, strict=True)]
    for layer, (taps, call) in enumerate(zip(kept.model.taps.layers, kept.calls, strict=True)):
        block, wide_call = _in_float32(taps.block), _call_in_float32(call)
        # the pass itself was in float32 where the block is no copy
        after = kept.stream(layer + 1) if block is taps.block else wide_call.on(block, stream)
        moved = [(wide_call.on(block, stream + each) - wide_call.on(block, stream - each)) / 2 for each in tracks]
        sizes = [_size(each, after) for each in moved]
        yield np.stack([_log(size) - np.log(step) for size, step in zip(sizes, steps, strict=True)])
        tracks = [_resized(*each) for each in zip(moved, sizes, steps, strict=True)]
        stream = after


def _size(delta: Tensor, stream: Tensor) -> Tensor:
    """Return the size [B] of perturbations [B, T, H] relative to the stream; a token without a stream has no part in it."""
    relative = delta.square().sum(dim=-1) / stream.square().sum(dim=-1)
    return torch.where(relative.isfinite(), relative, 0.0).mean(dim=-1).sqrt()


def _resized(delta: Tensor, size: Tensor, step: float) -> Tensor:
    # a perturbation that has vanished stays so
    factor: Tensor = torch.where(size > 0, step / size, 0.0)
    return delta * factor[:, None, None]


def _log(size: Tensor) -> NDArray[np.float64]:
    values = size.cpu().numpy().astype(np.float64)
    return np.log(values, out=np.full(values.shape, -np.inf), where=values > 0)


def _direction(stream: Tensor, seq_id: NDArray[np.integer], number: int, seed: int) -> Tensor:
    """Return normal values [B, T, H], those of a window its own, in proportion to the stream of each token."""
    keys = words(words(root_key(seed, b"stability"), seq_id), number)
    drawn = words(keys[:, None], np.arange(stream[0].numel())) >> np.uint64(11)
    normal = ndtri((drawn.astype(np.float64) + 0.5) / 2.0**53).astype(np.float32)
    length = stream.square().sum(dim=-1, keepdim=True).sqrt()
    return torch.from_numpy(normal).to(stream.device).view_as(stream) * length


def _in_float32(block: nn.Module) -> nn.Module:
    if all(weight.dtype is torch.float32 for weight in block.parameters()):
        return block
    return float32_copy(block)


def _call_in_float32(call: KeptCall) -> KeptCall:
    return KeptCall(call.stream, *(_wide(each) for each in (call.args, call.kwargs)))


def _wide(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: _wide(each) for name, each in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_wide(each) for each in value)
    return value
