"""The depth-matched reference of the scaling relation: an exactly critical process on the same lattice.

With few layers or short windows even a critical process is far from 3/2, 2 and 2. So the relation is judged against
critical cascades on a lattice of the same layers and tokens, cut off at the same edges, as many as were observed, and
measured on the same supports and durations; never against the bare values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.sizes.crackling import mean_size_slope
from critnb.criticality.sizes.exponents import Exponents, predicted_gamma
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.criticality.synthetic import lattice_cascades
from critnb.criticality.tails import mle_exponent
from critnb.lattice.randomness import below, root_key, words

Floats = npt.NDArray[np.float64]
_STREAM = b"scaling reference"
# Samples that are drawn at a time: a few tens of megabytes at a hundred thousand avalanches.
_BATCH = 10
NAN = float("nan")


@dataclass(frozen=True)
class CriticalReference:
    """Medians over samples of critical cascades, and the central 95 % of their dcc; NaN where what was observed has none.

    ``reason`` says why there is no dcc.
    """

    tau_S: float
    alpha_D: float
    gamma: float
    dcc: float
    dcc_low: float
    dcc_high: float
    reason: str = ""


def critical_pool(lattice: Lattice, *, cascades: int, seed: int) -> AvalancheSample:
    """Return uncensored cascades of the critical branching process on the lattice, half of the offspring along each axis."""
    found = lattice_cascades(
        cascades, n_layers=lattice.n_layers, n_tokens=lattice.n_tokens, m_time=0.5, m_depth=0.5, seed=seed
    )
    origin = np.zeros(len(found), dtype=np.intp)
    size, duration = found.size.astype(np.int64), found.span_tokens.astype(np.int64)
    return AvalancheSample(size, duration, origin, found.touches_edge).uncensored()


def reference(
    observed: Exponents, pool: AvalancheSample, *, size_max: int, duration_max: int, replicates: int, seed: int
) -> CriticalReference:
    """Return the medians over samples of the pool, each of as many avalanches as observed, on the observed supports.

    size_max and duration_max are the upper ends of those supports. An exponent that was not observed has no reference.
    """
    if not len(pool) or not observed.n_uncensored:
        what = "every critical cascade touches an edge of this lattice" if not len(pool) else "no uncensored avalanche"
        return CriticalReference(NAN, NAN, NAN, NAN, NAN, NAN, what)
    found = np.concatenate(
        [
            _sampled(observed, pool, range(start, min(start + _BATCH, replicates)), size_max, duration_max, seed)
            for start in range(0, replicates, _BATCH)
        ],
        axis=1,
    )
    sizes, durations = observed.size_scan, observed.duration_scan
    # all exponents in one call: it is the number of calls that takes time
    tau = mle_exponent(found[0], xmin=max(1, sizes.xmin), xmax=size_max)
    alpha = mle_exponent(found[1], xmin=max(1, durations.xmin), xmax=duration_max)
    gamma = found[2]
    dcc = np.abs(gamma - predicted_gamma(tau, alpha))
    interval = percentile_interval(dcc)
    reason = ""
    if np.isnan(observed.dcc.value):
        reason = "the observed dcc is not available"
    elif np.isnan(interval.low):
        reason = f"{int(interval.dropped)} of {replicates} samples of critical cascades lack an exponent"
    return CriticalReference(
        tau_S=_median(tau),
        alpha_D=_median(alpha),
        gamma=_median(gamma),
        dcc=_median(dcc),
        dcc_low=float(interval.low),
        dcc_high=float(interval.high),
        reason=reason,
    )


def _median(values: Floats) -> float:
    there = values[~np.isnan(values)]
    return float(np.median(there)) if 2 * len(there) > len(values) else NAN


def _sampled(
    observed: Exponents, pool: AvalancheSample, numbers: range, size_max: int, duration_max: int, seed: int
) -> Floats:
    """Return the mean ln S and ln D on the supports, and gamma, [3, R], of these samples, NaN where nothing was observed."""
    key = words(root_key(seed, _STREAM), np.array(numbers))
    drawn = below(words(key[:, None], np.arange(observed.n_uncensored)), len(pool))  # [R, n]
    none = np.full(len(drawn), np.nan)
    sizes, durations = observed.size_scan, observed.duration_scan
    log_size = _mean_log(pool.size, drawn, sizes.xmin, size_max) if sizes.available else none
    log_duration = _mean_log(pool.duration, drawn, durations.xmin, duration_max) if durations.available else none
    gamma = none if np.isnan(observed.gamma.gamma) else _slopes(pool, drawn, observed.gamma.durations)
    return np.stack([log_size, log_duration, gamma])


def _mean_log(values: npt.NDArray[np.int64], drawn: npt.NDArray[np.int64], xmin: int, xmax: int) -> Floats:
    """Return the mean logarithm [R] of each sample on the support, NaN where it has nothing there."""
    tail = (values >= xmin) & (values <= xmax)
    n = np.count_nonzero(tail[drawn], axis=1)
    logs = np.where(tail, np.log(values), 0.0)[drawn].sum(axis=1)
    mean_log = np.full(len(drawn), np.nan)
    np.divide(logs, n, out=mean_log, where=n > 0)
    return mean_log


def _slopes(pool: AvalancheSample, drawn: npt.NDArray[np.int64], durations: npt.NDArray[np.int64]) -> Floats:
    place = np.searchsorted(durations, pool.duration)
    used = np.isin(pool.duration, durations)
    column = np.where(used, place, len(durations))[drawn]
    width = len(durations) + 1
    cell = (np.arange(len(drawn))[:, None] * width + column).ravel()
    counts, sizes = (
        np.bincount(cell, weights=weight, minlength=len(drawn) * width).reshape(len(drawn), width)[:, :-1]
        for weight in (None, pool.size[drawn].ravel())
    )
    least = CANON.CONST.CRACKLING_MIN_POINTS
    return mean_size_slope(sizes.astype(np.float64), counts.astype(np.float64), durations, min_points=least)
