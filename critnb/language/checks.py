"""The two checks that a model passes before its numbers count: identity and linearity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from critnb.canon import CANON, Intervention
from critnb.language.load import LanguageModel
from critnb.language.taps import gain_applied, reading_output, reading_units, scaled_output

_PROBE_GAIN = 1.5
# one rounding of the contribution, of the scaled one and of each of the two sums
_ROUNDINGS = 8.0


@dataclass(frozen=True)
class LayerLinearity:
    """Layer l's largest deviation from (g - 1) * contribution, and how much float rounding explains."""

    layer: int
    deviation: float
    tolerance: float
    contribution: float

    @property
    def passed(self) -> bool:
        """Whether the deviation is rounding and the contribution is there at all."""
        return self.contribution > 0 and self.deviation <= self.tolerance


@torch.inference_mode()
def identity_deviation(model: LanguageModel, tokens: NDArray[np.int64]) -> float:
    """Return the largest absolute difference of logits on tokens [N, T] with g = 1 hooked in; 0.0 is the only pass."""
    ids = torch.from_numpy(tokens).to(model.device)
    plain = model.causal(input_ids=ids, use_cache=False).logits
    with (
        gain_applied(model.taps, Intervention.MLP_GLOBAL, CANON.CONST.GAIN_BASELINE),
        reading_units(model.taps, lambda _layer, _u: None),
    ):
        hooked = model.causal(input_ids=ids, use_cache=False).logits
    return 0.0 if torch.equal(plain, hooked) else float((plain - hooked).abs().max())


@torch.inference_mode()
def linearity(model: LanguageModel, tokens: NDArray[np.int64]) -> list[LayerLinearity]:
    """Check, layer by layer, that a gain g on layer l alone moves block l's output by (g - 1) * contribution_l.

    ``tokens`` [N, T]. A hook in the wrong place, in any architecture, fails here.
    """
    ids = torch.from_numpy(tokens).to(model.device)
    return [_layer_linearity(model, ids, layer) for layer in range(model.n_layers)]


def _layer_linearity(model: LanguageModel, ids: Tensor, layer: int) -> LayerLinearity:
    taps = model.taps.layers[layer]
    contribution = _output_of(model, ids, taps.mlp)
    plain = _output_of(model, ids, taps.block)
    if contribution.shape != plain.shape:
        # what does not even have the residual stream's width is added to it by no one
        return LayerLinearity(layer, float("inf"), 0.0, float(contribution.abs().max()))
    with scaled_output(taps.mlp, _PROBE_GAIN):
        scaled = _output_of(model, ids, taps.block)
    deviation = (scaled - plain) - (_PROBE_GAIN - 1) * contribution
    scale = float(torch.stack([scaled.abs().max(), plain.abs().max(), contribution.abs().max()]).max())
    tolerance = _ROUNDINGS * torch.finfo(model.dtype).eps * scale
    return LayerLinearity(layer, float(deviation.abs().max()), tolerance, float(contribution.abs().max()))


def _output_of(model: LanguageModel, ids: Tensor, module: nn.Module) -> Tensor:
    outputs: list[Tensor] = []
    with reading_output(module, lambda output: outputs.append(output.double())):
        model.body(input_ids=ids, use_cache=False)
    return outputs[0]


@torch.inference_mode()
def unit_reading_deviation(model: LanguageModel, tokens: NDArray[np.int64]) -> float:
    """Return the largest |projection(u) - projection's output| over layers: that u read is what the projection saw."""
    ids = torch.from_numpy(tokens).to(model.device)
    read: dict[int, Tensor] = {}
    with reading_units(model.taps, lambda layer, u: read.__setitem__(layer, u.clone())):
        model.body(input_ids=ids, use_cache=False)
    worst = 0.0
    for number, layer in enumerate(model.taps.layers):
        worst = max(
            worst, float((layer.projection(read[number]) - _output_of(model, ids, layer.projection)).abs().max())
        )
    return worst
