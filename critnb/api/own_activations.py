"""The passes over activations that lie in memory: moments, base rates and exact thresholds, layer by layer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.extraction import Floats, Wanted, fitted_layers
from critnb.api.numbers import numbers
from critnb.canon import SpikeDef
from critnb.errors import DataError
from critnb.events import Calibration, RateTargets
from critnb.events.calibration import Moments
from critnb.events.rate_matching import Counts, Matching, per_site

Activations = npt.NDArray[np.floating]


def as_activations(u: npt.ArrayLike, name: str) -> Activations:
    """Return u as floats [N, T, L, F]; raises DataError for other axes, empty ones, missing or infinite values."""
    values = numbers(u, name, remedy="leave out the sequences that hold them")
    if values.dtype.kind == "b":
        raise DataError(f"{name}: values are {values.dtype.name}; give numbers")
    if values.dtype.kind != "f" or values.dtype.itemsize > np.dtype(np.float64).itemsize:
        values = values.astype(np.float64)
    if values.ndim == 3:
        values = values[None]
    if values.ndim != 4 or 0 in values.shape or values.shape[1] < 2:
        raise DataError(f"{name}: shape {values.shape}; give [N, T, L, F], or [T, L, F], of at least 2 tokens")
    if not np.isfinite(values).all():
        raise DataError(f"{name}: there are infinite values")
    return values


def calibrated(u: Activations) -> Calibration:
    """Return mean and standard deviation of each unit, accumulated as the streamed passes do."""
    _, tokens, n_layers, n_units = u.shape
    moments = Moments(n_layers, n_units)
    for window in u:
        for layer in range(n_layers):
            wide = window[:, layer].astype(np.float64)
            mean = wide.mean(axis=0)
            moments.merge(layer, tokens, mean=mean, squares=((wide - mean) ** 2).sum(axis=0))
    return moments.finish()


def matched(u: Activations, calibration: Calibration, wanted: Wanted, tau0: float) -> tuple[pd.DataFrame, Counts]:
    """Return the exact thresholds of a target rate, one row a layer, and the events [N, L, T] of the same u."""
    assert wanted.target_rate is not None
    n, tokens, n_layers, n_units = u.shape
    kind = wanted.spike_def
    base = np.array([np.mean(scores(u, layer, calibration, kind) > tau0) for layer in range(n_layers)])
    targets = RateTargets(tau0, n_units, {kind: base}, (wanted.target_rate,))
    targets.check_feasible(windows=n, tokens=tokens)
    matching = Matching(targets, windows=n, tokens=tokens)
    sites = np.repeat(np.arange(n * tokens), n_units)
    for layer in range(n_layers):
        matching.largest[layer][kind].add(scores(u, layer, calibration, kind).ravel(), sites)
    thresholds, counts = matching.finish(wanted.intervention, wanted.gain)
    return fitted_layers(thresholds.to_frame()), counts[0, 0]


def thresholded(u: Activations, calibration: Calibration, wanted: Wanted, tau: Floats) -> Counts:
    """Return the events [N, L, T] of u under known thresholds [L]."""
    n, tokens, n_layers, _ = u.shape
    counts = np.empty((n, n_layers, tokens), dtype=np.uint16)
    for layer in range(n_layers):
        above = np.nonzero(scores(u, layer, calibration, wanted.spike_def) > tau[layer])[0]
        counts[:, layer] = per_site(above, n, tokens)
    return counts


def scores(u: Activations, layer: int, calibration: Calibration, spike_def: SpikeDef) -> Floats:
    """Return v of one layer as float64 [N * T, F]."""
    values = u[:, :, layer].reshape(-1, u.shape[3]).astype(np.float64)
    z = calibration.z(layer, np.arange(u.shape[3]), values)
    return np.abs(z) if spike_def is SpikeDef.SPIKE_TWO_SIDED_ABS else z
