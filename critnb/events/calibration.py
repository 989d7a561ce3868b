"""Mean and standard deviation of every MLP unit, accumulated in float64 in one pass. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from critnb.canon import CANON
from critnb.errors import DataError

_EPS = CANON.CONST.EPS


@dataclass(frozen=True, eq=False)
class Calibration:
    """mu, sigma float32 [L, F] of u on A_cal at gain 1, over ``n_samples`` tokens.

    ``clamped`` bool [L, F] marks the units whose sigma is below EPS: their z is set by EPS, not by their spread. Raises
    DataError where mu or sigma has missing or infinite values, or they do not fit each other.
    """

    mu: NDArray[np.float32]
    sigma: NDArray[np.float32]
    n_samples: int

    def __post_init__(self) -> None:
        for name, values in (("mu", self.mu), ("sigma", self.sigma)):
            if np.ma.is_masked(values) or not np.isfinite(values).all():
                raise DataError(f"calibration: {name} has missing or infinite values; each unit needs its own")
        if self.mu.ndim != 2 or self.mu.shape != self.sigma.shape or (self.sigma < 0).any():
            raise DataError(
                f"calibration: mu {self.mu.shape} and sigma {self.sigma.shape} must be [L, F], sigma not negative"
            )

    @property
    def clamped(self) -> NDArray[np.bool_]:
        """Units whose standard deviation is lost in EPS, [L, F]."""
        clamped: NDArray[np.bool_] = self.sigma < _EPS
        return clamped

    def scale(self, layer: int) -> NDArray[np.float64]:
        """Return the denominator of z of every unit of a layer, sigma + EPS, in float64 [F]."""
        scale: NDArray[np.float64] = self.sigma[layer].astype(np.float64) + _EPS
        return scale

    def z(self, layer: int, unit: NDArray[np.integer], u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return z of values ``u`` of the given units of a layer; the one place where z is computed."""
        scale = self.sigma[layer, unit].astype(np.float64) + _EPS
        scores: NDArray[np.float64] = (u - self.mu[layer, unit].astype(np.float64)) / scale
        return scores

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays of calibration_stats.npz."""
        return {
            "mu": self.mu,
            "sigma": self.sigma,
            "n_samples": np.array(self.n_samples, dtype=np.int64),
            "clamped_units": self.clamped.astype(np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Calibration:
        """Inverse of ``arrays``."""
        return cls(arrays["mu"].astype(np.float32), arrays["sigma"].astype(np.float32), int(arrays["n_samples"]))


class Moments:
    """Streaming mean and sum of squared deviations per unit, windows merged one by one in their order.

    The pairwise update of Chan, Golub and LeVeque (1983): the result does not depend on how windows were batched.
    """

    def __init__(self, n_layers: int, n_units: int) -> None:
        self._count = np.zeros(n_layers, dtype=np.int64)
        self._mean = np.zeros((n_layers, n_units))
        self._squares = np.zeros((n_layers, n_units))

    def merge(self, layer: int, n: int, *, mean: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        """Merge one window of n tokens of a layer: the mean [F] and the sum of squared deviations from it [F] of each unit."""
        before = int(self._count[layer])
        total = before + n
        delta = mean - self._mean[layer]
        self._mean[layer] += delta * (n / total)
        self._squares[layer] += squares + delta**2 * (before * n / total)
        self._count[layer] = total

    def merge_window(self, n: int, *, mean: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        """Merge one window of n tokens of every layer, [L, F] each."""
        for layer in range(len(mean)):
            self.merge(layer, n, mean=mean[layer], squares=squares[layer])

    def finish(self) -> Calibration:
        """Return the calibration; sigma is the population standard deviation."""
        count = int(self._count[0])
        sigma = np.sqrt(self._squares / count)
        return Calibration(self._mean.astype(np.float32), sigma.astype(np.float32), count)
