"""The susceptibility of the total activity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON

Floats = npt.NDArray[np.float64]


def chi(events: npt.NDArray[np.integer], weights: npt.NDArray[np.int64] | None = None) -> Floats:
    """Return Var_n(Y) / (Mean_n(Y) + CHI_EPS), population variance, of events Y per sequence [..., N].

    Without weights [...]; with bootstrap weights [R, N], each row summing to N, the resampled values [R, ...].
    """
    y = events.astype(np.float64)
    if weights is None:
        return np.asarray(y.var(axis=-1) / (y.mean(axis=-1) + CANON.CONST.CHI_EPS))
    # Around the plain mean, so that the difference of squares does not lose the digits that matter.
    centre = y.mean(axis=-1, keepdims=True)
    share = weights / weights.sum(axis=-1, keepdims=True)
    first, second = (np.tensordot(share, (y - centre) ** power, axes=(1, -1)) for power in (1, 2))
    return np.asarray(np.maximum(second - first**2, 0.0) / (first + centre[..., 0] + CANON.CONST.CHI_EPS))
