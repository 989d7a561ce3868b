"""The lower cut-off of a power law at which sample and fit are closest (Clauset, Shalizi and Newman 2009, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.tails.histogram import Histogram, Integers
from critnb.criticality.tails.laws import mle_exponent
from critnb.criticality.tails.powersums import Survival, survival

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

    @cached_property
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
        law = survival(
            alpha, self.xmin[which].astype(np.float64), self.xmax, self.sample.values[places].astype(np.float64)
        )
        every = _gaps(law, self.above[places], self.above[places + 1], self.above[which])
        gaps = np.where(places >= which[:, None], every, 0.0)
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
    order, bound = _by_bound(candidates, alpha, usable)
    every, chunk = _all_values(candidates)
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


def any_below(candidates: XminCandidates, alpha: Floats, distance: float) -> bool:
    """Say whether a candidate's distance is below ``distance``, exponents alpha float64 [C] and NaN where it is not asked.

    So it is as ``closest`` has a distance below it, but ends with the first such candidate.
    """
    usable = np.flatnonzero(np.isfinite(alpha))
    order, bound = _by_bound(candidates, alpha, usable)
    order = order[bound < distance]
    every, chunk = _all_values(candidates)
    parts = (np.sort(order[start : start + chunk]) for start in range(0, len(order), chunk))
    return any(bool((candidates.distances(alpha[some], some, every) < distance).any()) for some in parts)


def least_distances(
    every: list[XminCandidates], alphas: list[Floats], which: list[Indices], xmax: int | None
) -> Floats:
    """Return the least distance [S] of each sample's candidates ``which``, all in one call; infinite where none has an exponent."""
    if not every:
        return np.empty(0)
    longest = max(len(one.sample.values) for one in every)
    columns = [
        np.minimum(np.arange(longest), len(one.sample.values) - 1) for one in every
    ]  # a last value again changes no maximum
    values, here, beyond = (
        np.stack([part[at] for part, at in zip(parts, columns, strict=True)])
        for parts in (
            [one.sample.values for one in every],
            [one.above for one in every],
            [one.above[1:] for one in every],
        )
    )
    sample = np.repeat(np.arange(len(every)), [len(at) for at in which])
    place = np.concatenate(which)
    alpha = np.concatenate([alpha[at] for alpha, at in zip(alphas, which, strict=True)])
    least = np.full(len(every), np.inf)
    step = max(1, _PAIRS // longest)
    usable = np.flatnonzero(np.isfinite(alpha))
    for some in (usable[start : start + step] for start in range(0, len(usable), step)):
        row, of = sample[some], place[some]
        law = survival(alpha[some], values[row, of].astype(np.float64), xmax, values[row].astype(np.float64))
        gaps = _gaps(law, here[row], beyond[row], here[row, of])
        distance = np.where(np.arange(longest) >= of[:, None], gaps, 0.0).max(axis=1)
        np.minimum.at(least, row, distance)
    return least


def _gaps(law: Survival, here: Integers, beyond: Integers, tail: Integers) -> Floats:
    """Return how far law and sample are apart [K, V] at values, and just below the next; ``tail`` [K] values are counted."""
    of_tail = 1.0 / tail[:, None]
    gaps: Floats = np.maximum(np.abs(here * of_tail - law.reach), np.abs(beyond * of_tail - (law.reach - law.mass)))
    return gaps


def _by_bound(candidates: XminCandidates, alpha: Floats, usable: Indices) -> tuple[Indices, Floats]:
    """Return the usable candidates in ascending order of a lower bound of their distances, and the bounds, both [K]."""
    bound = np.zeros(len(usable))
    if usable.size * len(candidates.sample.values) > _PAIRS:
        bound = candidates.distances(alpha[usable], usable, _probes(candidates, usable))
    return usable[np.argsort(bound, kind="stable")], np.sort(bound, kind="stable")


def _all_values(candidates: XminCandidates) -> tuple[Indices, int]:
    """Return the indices of all distinct values [1, U], and how many candidates are evaluated at them in one go."""
    distinct = len(candidates.sample.values)
    return np.arange(distinct)[None, :], max(1, _PAIRS // distinct)


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
