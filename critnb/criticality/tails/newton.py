"""Newton's method for a mean log-likelihood of two parameters, the second within bounds and positive."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ITERATIONS = 200
_HALVINGS = 40
# Gain of the mean log-likelihood below which a step ends the search; the step before was quadratically worse.
_GAIN = 1e-13
# The second parameter changes at most so many times in one step: its scale may be far from the start's.
_STRETCH = 10.0
_SINGULAR = 1e-13


class QuadraticModel(NamedTuple):
    """Value, gradient [2] and positive definite curvature [2, 2]: the negative Hessian or a substitute."""

    value: float
    gradient: Floats
    curvature: Floats


def maximise(evaluate: Callable[[Floats], QuadraticModel], start: Floats, bounds: tuple[float, float]) -> Floats:
    """Return the parameters [2] of the maximum, the second within ``bounds``."""
    point = np.array([start[0], np.clip(start[1], *bounds)])
    here = evaluate(point)
    for _ in range(_ITERATIONS):
        step = _step(here, point, bounds)
        gain = float(here.gradient @ step - step @ here.curvature @ step / 2)
        for _ in range(_HALVINGS):
            target = point + step
            target[1] = np.clip(target[1], *bounds)
            there = evaluate(target)
            if there.value >= here.value - _GAIN:
                break
            step = step / 2
        else:
            break
        point, here = target, there
        if gain < _GAIN:
            break
    return point


def _step(here: QuadraticModel, point: Floats, bounds: tuple[float, float]) -> Floats:
    """Return Newton's step, or the best one of the quadratic model where it would leave the second one's range."""
    step = _solve(here.curvature, here.gradient)
    low, high = max(bounds[0], point[1] / _STRETCH) - point[1], min(bounds[1], point[1] * _STRETCH) - point[1]
    if low <= step[1] <= high:
        return step
    second = min(max(step[1], low), high)
    return np.array([(here.gradient[0] - here.curvature[0, 1] * second) / here.curvature[0, 0], second])


def _solve(curvature: Floats, gradient: Floats) -> Floats:
    """Solve, or step along each axis alone where the two parameters are not separable."""
    diagonal = np.diag(curvature)
    cross = curvature[0, 1]
    determinant = diagonal[0] * diagonal[1] - cross**2
    if determinant <= _SINGULAR * diagonal[0] * diagonal[1]:
        return np.divide(gradient, diagonal, out=np.zeros(2), where=diagonal > 0)
    adjugate = np.array([[diagonal[1], -cross], [-cross, diagonal[0]]])
    step: Floats = adjugate @ gradient / determinant
    return step
