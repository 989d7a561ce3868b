"""The exponents of one set of avalanches: size, duration, crackling, and the scaling relation between them.

At criticality gamma = (alpha_D - 1) / (tau_S - 1) (Sethna, Dahmen and Myers 2001; Friedman et al. 2012); the distance
|gamma - gamma_pred| is the deviation from criticality coefficient, DCC (Ma et al. 2019). All three are of the
avalanches that touch no edge, and all intervals are of the same resampled sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON, SizeDef
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.sizes.crackling import Crackling, crackling
from critnb.criticality.sizes.sample import AvalancheSample, Lattice, per_sequence
from critnb.criticality.tails import Histogram, XminScan, mle_exponent, scan_xmin

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ResampledEstimate:
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
    """The exponents of the avalanches of one raster.

    size_scan, duration_scan: the supports; tau_S and alpha_D are exponents on them, the support held fixed while
    sequences are resampled. crackling: of all avalanches; gamma: of the uncensored ones, as tau_S and alpha_D are.
    """

    n_avalanches: int
    n_uncensored: int
    size_scan: XminScan
    duration_scan: XminScan
    tau_S: ResampledEstimate
    alpha_D: ResampledEstimate
    crackling: Crackling
    gamma: Crackling
    gamma_pred: ResampledEstimate
    dcc: ResampledEstimate

    @property
    def reason(self) -> str:
        """What is not available and why, in words; empty where everything is."""
        return joined_reasons({"gamma": self.crackling.reason, **self._of_relation()})

    @property
    def relation_reason(self) -> str:
        """Why dcc or its interval is not available, in words; empty where both are."""
        return joined_reasons(self._of_relation())

    def _of_relation(self) -> dict[str, str]:
        unsure = np.isnan(self.dcc.interval[0]) and not np.isnan(self.dcc.value)
        missing = int(np.isnan(self.dcc.replicates).sum())
        return {
            "tau_S": self.size_scan.reason,
            "alpha_D": self.duration_scan.reason,
            "gamma of uncensored avalanches": self.gamma.reason,
            "gamma_pred": "tau_S is not above one" if self.tau_S.value <= 1 else "",
            "interval of dcc": f"{missing} of {len(self.dcc.replicates)} replicates have none" if unsure else "",
        }


@dataclass(frozen=True, eq=False)
class Samples:
    """The avalanches that each exponent is taken of: tau_S, alpha_D, the slope of all, and that of the uncensored ones."""

    sizes: AvalancheSample
    durations: AvalancheSample
    slope: AvalancheSample
    inner_slope: AvalancheSample


def joined_reasons(reasons: Mapping[str, str]) -> str:
    """Return in one line what is not available and why; names whose reason is empty are left out."""
    return "; ".join(f"{name}: {why}" for name, why in reasons.items() if why)


def exponents(
    sample: AvalancheSample,
    weights: npt.NDArray[np.int64],
    *,
    lattice: Lattice,
    size_def: SizeDef,
    like: Exponents | None = None,
    same_durations: Exponents | None = None,
) -> Exponents:
    """Estimate every exponent of a sample; weights int64 [R, N] of the sequence bootstrap.

    lattice and size_def give the upper ends of the supports, the Kolmogorov-Smirnov scan the lower ones. With ``like``
    supports and durations are those of another raster: two exponents can be compared on one support only, for an
    xmin of its own moves the exponent by more than the width of its interval. A small sample raises nothing: what it
    does not support is not available, with a reason. ``same_durations``: the exponents of the same avalanches with sizes
    of another definition, whose alpha_D is this one's.
    """
    every = Samples(sample, sample, sample, sample)
    return estimated(every, weights, lattice=lattice, size_def=size_def, like=like, same_durations=same_durations)


def estimated(
    samples: Samples, weights: npt.NDArray[np.int64], *, lattice: Lattice, size_def: SizeDef, like: Exponents | None,
    same_durations: Exponents | None = None,
) -> Exponents:  # fmt: skip
    """Estimate each exponent of its own sample, else as ``exponents`` does."""
    inner, size_max = samples.sizes.uncensored(), lattice.largest_size(size_def, inside=True)
    size_scan = _support(inner.size, size_max, like.size_scan if like else None)
    tau = estimate_exponent(inner.size, inner.sequence, size_scan, size_max, weights)
    if same_durations is None:
        duration_scan, alpha = _of_durations(samples.durations.uncensored(), lattice, weights, like)
    else:
        duration_scan, alpha = same_durations.duration_scan, same_durations.alpha_D
    of_all = crackling(samples.slope, weights, among=like.crackling.durations if like else None)
    gamma = crackling(samples.inner_slope.uncensored(), weights, among=like.gamma.durations if like else None)
    predicted = ResampledEstimate(
        float(predicted_gamma(np.float64(tau.value), np.float64(alpha.value))),
        predicted_gamma(tau.replicates, alpha.replicates),
    )
    dcc = ResampledEstimate(abs(gamma.gamma - predicted.value), np.abs(gamma.slopes - predicted.replicates))
    n = len(samples.sizes), len(inner)
    return Exponents(*n, size_scan, duration_scan, tau, alpha, of_all, gamma, predicted, dcc)


def _of_durations(
    sample: AvalancheSample, lattice: Lattice, weights: npt.NDArray[np.int64], like: Exponents | None
) -> tuple[XminScan, ResampledEstimate]:
    longest = lattice.longest_duration(inside=True)
    scan = _support(sample.duration, longest, like.duration_scan if like else None)
    return scan, estimate_exponent(sample.duration, sample.sequence, scan, longest, weights)


def predicted_gamma(tau_S: Floats | np.float64, alpha_D: Floats | np.float64) -> Floats:
    """Return (alpha_D - 1) / (tau_S - 1), NaN where tau_S is not above one."""
    tau, alpha = np.broadcast_arrays(tau_S, alpha_D)
    predicted = np.full(tau.shape, np.nan)
    np.divide(alpha - 1, tau - 1, out=predicted, where=tau > 1)
    return predicted


def _support(values: Ints, largest: int, like: XminScan | None) -> XminScan:
    """Return the support of least distance, or the other raster's with what the values [K] have on it."""
    if like is None:
        # one layer or one token leaves no room for an avalanche off the edges, so there is none and no largest one
        return scan_xmin(Histogram.of(values), xmax=max(1, largest))
    # fewer than a fit of its own needs: the support is chosen already, and the interval says what so few can tell
    least = CANON.CONST.TAIL_COMPARE_MIN_SAMPLES
    tail = values[values >= like.xmin] if like.available else values[:0]
    alpha = float("nan")
    if not like.available:
        reason = "the real raster has no support to compare on"
    elif len(tail) < least:
        reason = f"{len(tail)} avalanches on the real raster's support, fewer than {least}"
    else:
        alpha = float(mle_exponent(np.log(tail).mean(), xmin=like.xmin, xmax=largest))
        reason = "" if np.isfinite(alpha) else "all avalanches on the real raster's support are equal"
    return XminScan(like.xmin, alpha, float("nan"), len(tail), available=not reason, reason=reason)


def estimate_exponent(
    values: Ints, sequence: npt.NDArray[np.intp], support: XminScan, xmax: int, weights: npt.NDArray[np.int64]
) -> ResampledEstimate:
    """Return the exponent on a support with its replicates; values and sequence [K], weights int64 [R, N]."""
    if not support.available:
        return ResampledEstimate(float("nan"), np.full(len(weights), np.nan))
    tail = values >= support.xmin
    n_sequences = weights.shape[1]
    n = per_sequence(sequence[tail], None, n_sequences)
    logs = per_sequence(sequence[tail], np.log(values[tail]), n_sequences)
    drawn = weights.astype(np.float64)
    mean_log = np.full(len(weights), np.nan)
    np.divide(drawn @ logs, drawn @ n, out=mean_log, where=drawn @ n > 0)
    return ResampledEstimate(support.alpha, mle_exponent(mean_log, xmin=support.xmin, xmax=xmax))
