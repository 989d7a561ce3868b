"""The largest Lyapunov exponent along depth, from the growth of perturbations of each window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.knock_outs import Ratio, expanded_level
from critnb.errors import DataError

Floats = npt.NDArray[np.float64]
_ONE_WINDOW = "one window: no interval"
_ONE_LAYER = "one layer: none beyond the first"
_VANISHED = "a perturbation vanished or is not finite, so that its growth has no logarithm"


@dataclass(frozen=True, eq=False)
class StabilitySummary:
    """Mean log growth of perturbations per layer, in nats, over directions and windows.

    exponent: over all layers; negative where perturbations shrink against the stream. beyond_first: without the first, whose
    block adds to bare embeddings. by_layer: of each layer. spread:
    standard deviation over directions of their mean exponents, NaN for one. step_deviation: the largest difference over
    windows of the exponents of one direction with two steps; large where the growth is not that of small perturbations.
    """

    exponent: Ratio
    beyond_first: Ratio
    by_layer: tuple[Ratio, ...]
    spread: float
    step_deviation: float
    windows: int


def summarise_stability(log_growth: Floats, wide: Floats, weights: npt.NDArray[np.int64]) -> StabilitySummary:
    """Summarise log_growth [N, K, L] and wide [N, L]; weights [R, N] are those of ``multinomial_weights``.

    The largest exponent is the growth of almost any direction (Oseledets 1968); few layers are far from that limit, so the
    first of them show how a random direction turns. Raises DataError where the shapes do not fit.
    """
    n_windows, n_directions, n_layers = log_growth.shape
    if wide.shape != (n_windows, n_layers) or weights.shape[-1] != n_windows:
        raise DataError(f"stability: growth {log_growth.shape}, {wide.shape} and weights {weights.shape} do not fit")
    finite = bool(np.isfinite(log_growth).all() and np.isfinite(wide).all())
    per_window = log_growth.mean(axis=1)
    deviation = np.abs(wide.mean(axis=1) - log_growth[:, 0].mean(axis=1)).max() if finite else float("nan")
    of_direction = log_growth.mean(axis=(0, 2))
    return StabilitySummary(
        _mean(per_window.mean(axis=1), weights),
        _mean(per_window[:, 1:].mean(axis=1), weights) if n_layers > 1 else Ratio(float("nan"), reason=_ONE_LAYER),
        tuple(_mean(per_window[:, layer], weights) for layer in range(n_layers)),
        float(of_direction.std(ddof=1)) if finite and n_directions > 1 else float("nan"),
        float(deviation),
        n_windows,
    )


def _mean(values: Floats, weights: npt.NDArray[np.int64]) -> Ratio:
    if not np.isfinite(values).all():
        return Ratio(float("nan"), reason=_VANISHED)
    mean = float(values.mean())
    if len(values) < 2:
        return Ratio(mean, reason=_ONE_WINDOW)
    interval = percentile_interval(weights @ values / len(values), expanded_level(len(values)))
    return Ratio(mean, float(interval.low), float(interval.high))
