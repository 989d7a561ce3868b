"""The fitted laws of a tail as curves to draw: P(K ≥ k) on xmin..xmax, at every integer first and ever sparser after."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

Floats = npt.NDArray[np.float64]

# Every integer up to here counts by itself; beyond, a bin is a hundredth of its place wide, and an integral by Simpson's
# rule in ln k stands for its sum, to far below the width of a line.
_SINGLE = 1000
_RATIO = 1.01
# Stands for a support without an upper end: beyond it no law that was fitted holds anything that could be seen.
_HORIZON = 1e15


def support(xmin: float, xmax: float) -> Floats:
    """Return the points [E] of xmin..xmax to draw at, ascending; xmax NaN: no upper end."""
    last = _HORIZON if np.isnan(xmax) else xmax
    single = np.arange(xmin, min(xmin + _SINGLE, last) + 1)
    n = int(max(0.0, np.log((last + 1) / single[-1]) / np.log(_RATIO))) + 1
    beyond = np.floor(np.geomspace(single[-1], last, n + 1)[1:]) if single[-1] < last else np.empty(0)
    points: Floats = np.unique(np.concatenate([single, beyond]))
    return points


def cutoff_survival(points: Floats, *, alpha: float, rate: float) -> Floats:
    """Return P(K ≥ k) of P(k) ~ k^-alpha e^(-rate k) at the points [E] of its ``support``.

    rate 0: the power law; alpha 0: the exponential. Both may have any sign, since the support ends at the last point.
    """
    edges = np.append(points, points[-1] + 1)
    ends = np.stack([edges[:-1] - 0.5, np.sqrt((edges[:-1] - 0.5) * (edges[1:] - 0.5)), edges[1:] - 0.5])
    exponent, at_points = (-alpha * np.log(k) - rate * k for k in (ends, points))
    top = max(exponent.max(), at_points.max())
    simpson = (np.exp(exponent - top) * ends * np.array([[1.0], [4.0], [1.0]])).sum(axis=0) / 6
    integral = simpson * np.log(ends[2] / ends[0])
    mass = np.where(np.diff(edges) == 1, np.exp(at_points - top), integral)
    beyond = np.cumsum(mass[::-1])[::-1]
    survival: Floats = beyond / beyond[0]
    return survival


def lognormal_survival(points: Floats, *, mu: float, sigma: float) -> Floats:
    """Return P(K ≥ k) of the lognormal rounded to integers at the points [E] of its ``support``."""
    z = (np.log(np.append(points, points[-1] + 1) - 0.5) - mu) / sigma
    if z[0] + z[-1] < 0:  # most of the support lies below the median, where only P(K < k) keeps its digits
        below = log_ndtr(z)
        inside = -np.expm1(below[:-1] - below[-1])
    else:
        above = log_ndtr(-z)
        inside = np.exp(above[:-1] - above[0]) - np.exp(above[-1] - above[0])
    survival: Floats = inside / inside[0]
    return survival
