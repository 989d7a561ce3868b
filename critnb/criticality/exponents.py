"""The exponents of one set of avalanches: size, duration, crackling, and the relation that should tie them together.

At criticality gamma = (alpha_D - 1) / (tau_S - 1) (Sethna, Dahmen and Myers 2001; Friedman et al. 2012); the distance
|gamma - gamma_pred| is the deviation from criticality coefficient, DCC (Ma et al. 2019). All three are of the
avalanches that touch no edge, and all intervals are of the same resampled sequences.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from critnb.canon import SizeDef
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.crackling import Crackling, crackling
from critnb.criticality.sample import AvalancheSample, Lattice, per_sequence
from critnb.criticality.tails import Histogram, XminScan, mle_exponent, scan_xmin

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number with its 95 % interval and its bootstrap replicates [R]; NaN where not available."""

    value: float
    replicates: Floats = field(repr=False)

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end; NaN where there is no value or too many replicates have none."""
        if np.isnan(self.value):
            return float("nan"), float("nan")
        found = percentile_interval(self.replicates)
        return float(found.low), float(found.high)


@dataclass(frozen=True, eq=False)
class Exponents:
    """What the avalanches of one raster give.

    size_scan, duration_scan: the KS-optimal supports; tau_S and alpha_D are exponents on them, the support held fixed
    while sequences are resampled. crackling: of all avalanches; gamma: of the uncensored ones, as tau_S and alpha_D are.
    """

    n_avalanches: int
    n_uncensored: int
    size_scan: XminScan
    duration_scan: XminScan
    tau_S: Estimate
    alpha_D: Estimate
    crackling: Crackling
    gamma: Crackling
    gamma_pred: Estimate
    dcc: Estimate

    @property
    def reason(self) -> str:
        """What is not available and why, in words; empty where everything is."""
        return _joined({"gamma": self.crackling.reason, **self._of_relation()})

    @property
    def relation_reason(self) -> str:
        """Why dcc is not available, in words; empty where it is."""
        return _joined(self._of_relation())

    def _of_relation(self) -> dict[str, str]:
        return {
            "tau_S": self.size_scan.reason,
            "alpha_D": self.duration_scan.reason,
            "gamma of uncensored avalanches": self.gamma.reason,
            "gamma_pred": "tau_S is not above one" if self.tau_S.value <= 1 else "",
        }


def _joined(reasons: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in reasons.items() if why)


def exponents(
    sample: AvalancheSample, weights: npt.NDArray[np.int64], *, lattice: Lattice, size_def: SizeDef
) -> Exponents:
    """Estimate every exponent of a sample; weights int64 [R, N] of the sequence bootstrap.

    lattice and size_def give the upper ends of the supports. Nothing raises for a small sample: what it does not
    support is not available, with a reason.
    """
    inner = sample.uncensored()
    size_max, duration_max = lattice.largest_size(size_def, inside=True), lattice.longest_duration(inside=True)
    size_scan, tau = _tail(inner.size, inner.sequence, size_max, weights)
    duration_scan, alpha = _tail(inner.duration, inner.sequence, duration_max, weights)
    of_all, gamma = crackling(sample, weights), crackling(inner, weights)
    predicted = Estimate(
        float(predicted_gamma(np.float64(tau.value), np.float64(alpha.value))),
        predicted_gamma(tau.replicates, alpha.replicates),
    )
    dcc = Estimate(abs(gamma.gamma - predicted.value), np.abs(gamma.slopes - predicted.replicates))
    return Exponents(len(sample), len(inner), size_scan, duration_scan, tau, alpha, of_all, gamma, predicted, dcc)


def predicted_gamma(tau_S: Floats | np.float64, alpha_D: Floats | np.float64) -> Floats:
    """Return (alpha_D - 1) / (tau_S - 1), NaN where tau_S is not above one."""
    tau, alpha = np.broadcast_arrays(tau_S, alpha_D)
    predicted = np.full(tau.shape, np.nan)
    np.divide(alpha - 1, tau - 1, out=predicted, where=tau > 1)
    return predicted


def _tail(
    values: npt.NDArray[np.int64], sequence: npt.NDArray[np.intp], largest: int, weights: npt.NDArray[np.int64]
) -> tuple[XminScan, Estimate]:
    scan = scan_xmin(Histogram.of(values), xmax=largest)
    if not scan.available:
        return scan, Estimate(float("nan"), np.full(len(weights), np.nan))
    tail = values >= scan.xmin
    n_sequences = weights.shape[1]
    n = per_sequence(sequence[tail], None, n_sequences)
    logs = per_sequence(sequence[tail], np.log(values[tail]), n_sequences)
    drawn = weights.astype(np.float64)
    mean_log = np.full(len(weights), np.nan)
    np.divide(drawn @ logs, drawn @ n, out=mean_log, where=drawn @ n > 0)
    return scan, Estimate(scan.alpha, mle_exponent(mean_log, xmin=scan.xmin, xmax=largest))
