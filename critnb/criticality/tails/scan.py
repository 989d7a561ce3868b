"""The lower cut-off of a power law at which sample and fit are closest (Clauset, Shalizi and Newman 2009, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.tails.histogram import Histogram, Integers
from critnb.criticality.tails.laws import mle_exponent
from critnb.criticality.tails.powersums import survival

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# Pairs of a candidate and a value that are evaluated in one go: few enough for the processor's cache.
_PAIRS = 2**15
_PROBES = 24


@dataclass(frozen=True)
class XminScan:
    """The candidate of least Kolmogorov-Smirnov distance; xmin 0 and numbers NaN where not available, with the reason."""

    xmin: int
    alpha: float
    distance: float
    n_tail: int
    available: bool
    reason: str


@dataclass(frozen=True, eq=False)
class XminCandidates:
    """Of one sample: every distinct value [C] whose tail keeps enough values, as the first C of the distinct values."""

    sample: Histogram
    xmax: int | None
    size: int

    @classmethod
    def of(cls, sample: Histogram, *, xmax: int | None, min_tail: int) -> XminCandidates:
        """Return the candidates of a sample; raises DataError where a value lies above xmax."""
        sample.check_bound(xmax)
        above = np.cumsum(sample.counts[::-1])[::-1]
        return cls(sample, xmax, int(np.count_nonzero(above >= max(1, min_tail))))

    @cached_property
    def above(self) -> Integers:
        """Number of values at or above each distinct value, int64 [U + 1], zero at the end."""
        return np.append(np.cumsum(self.sample.counts[::-1])[::-1], 0)

    @property
    def xmin(self) -> Integers:
        """The candidates, int64 [C]."""
        return self.sample.values[: self.size]

    @property
    def mean_log(self) -> Floats:
        """The mean of ln x over each candidate's tail, float64 [C]."""
        weighted = self.sample.counts * np.log(self.sample.values)
        mean: Floats = np.cumsum(weighted[::-1])[::-1][: self.size] / self.above[: self.size]
        return mean

    def distances(self, alpha: Floats, which: Indices, places: Indices) -> Floats:
        """Return the distance [K] of candidates ``which`` [K] with exponents alpha [K], at some distinct values.

        Between two observed values the sample's distribution function is flat and the law's rises, so over all integers
        the distance is largest at a value itself or just below the next one. ``places`` [K, V] or [1, V] are indices of
        distinct values; over all of them the distance is exact, over fewer it is a lower bound.
        """
        of_tail = 1.0 / self.above[which][:, None]
        law = survival(
            alpha, self.xmin[which].astype(np.float64), self.xmax, self.sample.values[places].astype(np.float64)
        )
        below = np.abs(self.above[places] * of_tail - law.reach)
        beyond = np.abs(self.above[places + 1] * of_tail - (law.reach - law.mass))
        gaps = np.where(places >= which[:, None], np.maximum(below, beyond), 0.0)
        largest: Floats = gaps.max(axis=1)
        return largest


def scan_xmin(
    sample: Histogram, *, xmax: int | None, min_tail: int = CANON.CONST.TAIL_FIT_MIN_TAIL_SAMPLES
) -> XminScan:
    """Return the xmin of least distance among all distinct values whose tail keeps at least min_tail values.

    Each candidate's exponent is the maximum likelihood's on xmin..xmax, and its distance is taken over all integers of
    that support. Ties go to the smaller xmin. Raises DataError where a value lies above xmax.
    """
    candidates = XminCandidates.of(sample, xmax=xmax, min_tail=min_tail)
    if not candidates.size:
        return unavailable(too_few(sample.n, min_tail))
    return closest(candidates, mle_exponent(candidates.mean_log, xmin=candidates.xmin, xmax=xmax))


@dataclass(frozen=True)
class Excluded:
    """The distinct values that are no candidates, since their tails keep fewer than ``min_tail`` values.

    ``n`` counts those that a power law can be fitted from; ``nearest`` is the one of least distance among them.
    """

    n: int
    min_tail: int
    nearest: XminScan


def excluded(sample: Histogram, *, xmax: int | None, min_tail: int) -> Excluded:
    """Return the values that a scan with the same xmax and min_tail leaves out; raises DataError where a value lies above xmax."""
    first = XminCandidates.of(sample, xmax=xmax, min_tail=min_tail).size
    if first == len(sample.values):
        return Excluded(0, min_tail, unavailable("nothing was left out"))
    rest = XminCandidates.of(sample.tail(int(sample.values[first])), xmax=xmax, min_tail=1)
    alpha = mle_exponent(rest.mean_log, xmin=rest.xmin, xmax=xmax)
    return Excluded(int(np.isfinite(alpha).sum()), min_tail, closest(rest, alpha))


def closest(candidates: XminCandidates, alpha: Floats) -> XminScan:
    """Return the best of the candidates, whose exponents are alpha float64 [C].

    Branch and bound: a lower bound of every distance from a few values, then exact distances in ascending order of the
    bound, until no bound is below the best.
    """
    usable = np.flatnonzero(np.isfinite(alpha))
    if not usable.size:
        return unavailable("every candidate's tail has a single value, or nearly all of it at xmax")
    distinct = len(candidates.sample.values)
    every = np.arange(distinct)[None, :]
    bound = np.zeros(len(usable))
    if usable.size * distinct > _PAIRS:
        bound = candidates.distances(alpha[usable], usable, _probes(candidates, usable))
    order = usable[np.argsort(bound, kind="stable")]
    bound = np.sort(bound, kind="stable")
    chunk = max(1, _PAIRS // distinct)
    best_distance, best = np.inf, -1
    for start in range(0, len(order), chunk):
        if bound[start] > best_distance:
            break
        some = np.sort(order[start : start + chunk])
        distance = candidates.distances(alpha[some], some, every)
        least = int(np.argmin(distance))
        if (distance[least], some[least]) < (best_distance, best):
            best_distance, best = float(distance[least]), int(some[least])
    return XminScan(
        xmin=int(candidates.xmin[best]),
        alpha=float(alpha[best]),
        distance=best_distance,
        n_tail=int(candidates.above[best]),
        available=True,
        reason="",
    )


def _probes(candidates: XminCandidates, which: Indices) -> Indices:
    """Return indices [K, _PROBES] of distinct values that split each candidate's tail into equal shares."""
    shares = np.arange(_PROBES) / _PROBES
    left = candidates.above[which][:, None] * (1 - shares)
    ascending = candidates.above[:-1][::-1]
    return len(ascending) - 1 - np.minimum(np.searchsorted(ascending, left), len(ascending) - 1)


def too_few(n: int, min_tail: int) -> str:
    """Return the reason that a tail has too few values."""
    return f"{n} value{'' if n == 1 else 's'}, fewer than {min_tail}"


def unavailable(reason: str) -> XminScan:
    """Return a scan without a result, for the reason."""
    return XminScan(xmin=0, alpha=np.nan, distance=np.nan, n_tail=0, available=False, reason=reason)
