"""What is done with a shard of passes, on whatever worker, and how the results of shards become those of a whole run.

Each is a picklable function of a worker's passes and of a shard. Joined results are those of one pass over all windows, to the
last bit: moments are merged window by window, largest values are a set, counts stand beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.events.calibration import Calibration
from critnb.events.passes import base_events, each_layer, extract, gather
from critnb.events.rate_matching import Matched, Matching
from critnb.events.screening_bounds import Finish, FirstBounds
from critnb.events.targets import RateTargets
from critnb.events.window_moments import window_moments
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.likelihood import WindowLikelihoods
from critnb.model.shards import Shard

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class MomentsOf:
    """The moments of windows of ``tokens`` [N, T]: mean and sum of squared deviations, float64 [2, n, L, F]."""

    tokens: NDArray[np.int64]

    def __call__(self, passes: ForwardPasses, shard: Shard) -> NDArray[np.float64]:
        """Return those of the shard's windows, a batch at best: they take as much as four batches of u in float32."""
        rows = shard.of(self.tokens, passes)
        found = np.empty((2, len(rows), passes.model.n_layers, passes.model.n_units))

        def begin(first: int, layer: int, u: Tensor) -> Finish:
            of_windows = window_moments(u)

            def finish() -> None:
                for row, moments in enumerate(of_windows(), start=first):
                    found[:, row, layer] = moments

            return finish

        each_layer(passes, rows, shard.setting, begin)
        return found


@dataclass(frozen=True, eq=False)
class BaseEventsOf:
    """The events [D, L] above ``tau0`` of windows of ``tokens`` [N, T], at gain 1."""

    tokens: NDArray[np.int64]
    calibration: Calibration
    spike_defs: Sequence[SpikeDef]
    tau0: float

    def __call__(self, passes: ForwardPasses, shard: Shard) -> NDArray[np.int64]:
        """Return those of the shard's windows."""
        return base_events(passes, shard.of(self.tokens, passes), self.calibration, self.spike_defs, self.tau0)


@dataclass(frozen=True, eq=False)
class MatchedRates:
    """Exact thresholds of ``targets`` on ``tokens`` [N, T] and the counts [D, R, N, L, T] that they leave.

    ``first_bounds`` carries over from one setting to the next where both are worked on in one process.
    """

    tokens: NDArray[np.int64]
    calibration: Calibration
    targets: RateTargets
    first_bounds: FirstBounds = field(default_factory=dict)

    def __call__(self, passes: ForwardPasses, shard: Shard) -> Matching | Arrays:
        """Return the largest values of the shard's windows, or the result where these are all windows."""
        rows = shard.of(self.tokens, passes)
        wanted = self.targets.wanted(windows=len(self.tokens), tokens=self.tokens.shape[1] - passes.burn_in)
        spike_defs = tuple(self.targets.base)
        found = gather(
            passes, rows, self.calibration, spike_defs, wanted, shard.setting, first_bounds=self.first_bounds
        )
        return self._arrays(found.finish()) if len(rows) == len(self.tokens) else found

    def join(self, parts: Sequence[Matching | Arrays]) -> Arrays:
        """Return the result of the shards of one setting, given in the order of their windows."""
        if isinstance(parts[0], dict):
            return parts[0]
        return self._arrays(Matching.joined([part for part in parts if isinstance(part, Matching)]).finish())

    def _arrays(self, found: Matched) -> Arrays:
        # which setting they are of, a checkpoint's name says
        thresholds = found.thresholds(self.targets, Setting().intervention, Setting().gain)
        return {**thresholds.arrays(), "counts": found.counts}


@dataclass(frozen=True, eq=False)
class Extracted:
    """The counts [D, R, N, L, T] of ``tokens`` [N, T] under the thresholds ``tau`` [D, R, L] of each setting."""

    tokens: NDArray[np.int64]
    calibration: Calibration
    tau: Mapping[Setting, NDArray[np.float64]]
    spike_defs: Sequence[SpikeDef]

    def __call__(self, passes: ForwardPasses, shard: Shard) -> Arrays:
        """Return those of the shard's windows."""
        rows, tau = shard.of(self.tokens, passes), self.tau[shard.setting]
        return {"counts": extract(passes, rows, self.calibration, tau, self.spike_defs, shard.setting)}


@dataclass(frozen=True, eq=False)
class ExtractedAndScored:
    """As ``Extracted``, with the mean negative log-likelihood of each window ``nll_mean`` [N] from the same passes."""

    extracted: Extracted

    def __call__(self, passes: ForwardPasses, shard: Shard) -> Arrays:
        """Return those of the shard's windows."""
        each, setting = self.extracted, shard.setting
        rows = shard.of(each.tokens, passes)
        read = WindowLikelihoods(len(rows), setting, burn_in=passes.burn_in)
        counts = extract(passes, rows, each.calibration, each.tau[setting], each.spike_defs, setting, on_logits=read)
        return {"counts": counts, "nll_mean": read.nll_mean}


def side_by_side(parts: Sequence[Mapping[str, NDArray[Any]]]) -> Arrays:
    """Return counts [D, R, N, L, T], and numbers [N] beside them, of shards of one setting as those of all their windows."""
    if len(parts) == 1:
        return dict(parts[0])
    return {
        name: np.concatenate([part[name] for part in parts], axis=2 if name == "counts" else 0) for name in parts[0]
    }
