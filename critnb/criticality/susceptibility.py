"""The susceptibility of the total activity, as it is defined and per event.

chi compares the variance over windows with its mean. Where windows differ in a factor of their rate, as texts do, the
variance grows with the square of the mean, so chi grows with everything that the mean grows with: layers, tokens, the rate.
The intensive form does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON

Floats = npt.NDArray[np.float64]
_EPS = CANON.CONST.CHI_EPS


def chi(events: npt.NDArray[np.integer], weights: npt.NDArray[np.int64] | None = None) -> Floats:
    """Return Var_n(Y) / (Mean_n(Y) + CHI_EPS), population variance, of events Y per sequence [..., N].

    Without weights [...]; with bootstrap weights [R, N], each row summing to N, the resampled values [R, ...].
    """
    mean, variance = _moments(events, weights)
    return np.asarray(variance / (mean + _EPS))


def chi_intensive(events: npt.NDArray[np.integer], weights: npt.NDArray[np.int64] | None = None) -> Floats:
    """Return (chi - 1) / Mean_n(Y), shapes as in ``chi``; NaN where there is no event.

    It is the squared coefficient of variation of Y beyond that of a Poisson count: the variance v of the factor where Y is
    Poisson of a mean times a factor of mean one, -1 / sites where sites are independent and of one rate, 0 in between.
    """
    mean, variance = _moments(events, weights)
    intensive = np.full(np.shape(mean), np.nan)
    np.divide(variance / (mean + _EPS) - 1, mean, out=intensive, where=np.asarray(mean) > 0)
    return intensive


def _moments(events: npt.NDArray[np.integer], weights: npt.NDArray[np.int64] | None) -> tuple[Floats, Floats]:
    """Return mean and population variance over the last axis."""
    y = events.astype(np.float64)
    if weights is None:
        return np.asarray(y.mean(axis=-1)), np.asarray(y.var(axis=-1))
    # Around the plain mean, so that the difference of squares does not lose the digits that matter.
    centre = y.mean(axis=-1, keepdims=True)
    share = weights / weights.sum(axis=-1, keepdims=True)
    first, second = (np.tensordot(share, (y - centre) ** power, axes=(1, -1)) for power in (1, 2))
    return np.asarray(first + centre[..., 0]), np.asarray(np.maximum(second - first**2, 0.0))
