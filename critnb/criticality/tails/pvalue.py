"""The p-value of a power-law fit by Monte Carlo (Clauset, Shalizi and Newman 2009, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.tails.histogram import LARGEST, Histogram, Integers
from critnb.criticality.tails.laws import mle_exponent
from critnb.criticality.tails.powersums import survival
from critnb.criticality.tails.scan import XminCandidates, XminScan, any_below, least_distances
from critnb.lattice.randomness import root_key, words

Floats = npt.NDArray[np.float64]

# So many integers of the fitted law are tabulated, then so many marks on to the end of the support, evenly spaced in
# ln k: a draw beyond the table is found by bisection between two marks.
_TABLE = 2**14
_MARKS = 2**12
# Replicates whose exponents are fitted in one call.
_BATCH = 64
# Candidates beside the observed xmin that are asked first.
_BESIDE = 4


def ks_p_value(
    sample: Histogram,
    scan: XminScan,
    *,
    xmax: int | None,
    replicates: int,
    seed: int,
    key: bytes,
    min_tail: int = CANON.CONST.TAIL_FIT_MIN_TAIL_SAMPLES,
) -> float:
    """Return the p-value of the power law that ``scan`` chose: small where the sample is not from such a law.

    Each replicate has as many values as the sample; each of them comes from the fitted law with the tail's share as
    probability, else from the values below xmin. The scan, with the same min_tail, is repeated in every replicate, so
    the freedom to choose xmin is part of the null. p = (1 + #{distance >= observed}) / (R + 1), R the replicates that
    have a scan of their own (Davison and Hinkley 1997, eq. 4.11). Draws are keyed by seed, key and replicate.

    NaN where the scan, or every replicate's scan, is not available. Raises DataError where a value lies above xmax.
    """
    sample.check_bound(xmax)
    if not scan.available:
        return float("nan")
    mixture = Mixture.of(sample, scan, xmax)
    root = root_key(seed, b"tails", key)
    kept = reached = 0
    for start in range(0, replicates, _BATCH):
        numbers = range(start, min(start + _BATCH, replicates))
        drawn = [mixture.draw(sample.n, key) for key in words(root, np.array(numbers))]
        again = _reached(drawn, scan, xmax=xmax, min_tail=min_tail)
        kept += len(again)
        reached += int(again.sum())
    return (1 + reached) / (kept + 1) if kept else float("nan")


def _reached(samples: list[Histogram], observed: XminScan, *, xmax: int | None, min_tail: int) -> npt.NDArray[np.bool_]:
    """Say of each sample that has a scan whether its distance is the observed one or more, bool [K].

    One candidate below the observed distance settles that the least is below too. The candidates beside the observed xmin,
    where the law was fitted, are asked first, and all others only where none of those settles it.
    """
    every = [XminCandidates.of(sample, xmax=xmax, min_tail=min_tail) for sample in samples]
    some = [candidates for candidates in every if candidates.size]
    beside = [_beside(one.xmin, observed.xmin) for one in some]
    near = _alphas(some, beside, xmax)
    is_below = least_distances(some, near, beside, xmax) < observed.distance
    rest = [one for one, below in zip(some, is_below, strict=True) if not below]
    alphas = _alphas(rest, [np.arange(one.size) for one in rest], xmax)
    scanned = [(one, alpha) for one, alpha in zip(rest, alphas, strict=True) if np.isfinite(alpha).any()]
    later = [not any_below(one, alpha, observed.distance) for one, alpha in scanned]
    return np.array([False] * int(is_below.sum()) + later, dtype=np.bool_)


def _beside(xmin: Integers, at: int) -> npt.NDArray[np.intp]:
    """Return the places of the few candidates, in ascending order, that are nearest to ``at``."""
    first = int(np.searchsorted(xmin, at)) - _BESIDE // 2
    first = max(0, min(first, len(xmin) - _BESIDE))
    return np.arange(first, min(first + _BESIDE, len(xmin)))


def _alphas(every: list[XminCandidates], places: list[npt.NDArray[np.intp]], xmax: int | None) -> list[Floats]:
    """Return the exponents [C] of the candidates of each sample, NaN but at its ``places``, all fitted in one call."""
    if not every:
        return []
    means, lowest = (
        np.concatenate([values[at] for values, at in zip(parts, places, strict=True)])
        for parts in ([one.mean_log for one in every], [one.xmin for one in every])
    )
    found = np.split(mle_exponent(means, xmin=lowest, xmax=xmax), np.cumsum([len(at) for at in places])[:-1])
    alphas = [np.full(one.size, np.nan) for one in every]
    for alpha, at, values in zip(alphas, places, found, strict=True):
        alpha[at] = values
    return alphas


@dataclass(frozen=True, eq=False)
class Mixture:
    """The observed values below xmin, and the fitted law from xmin on: its table and its far tail.

    values: int64 [K], the tabulated ones; cumulative: float64 [K], the probability of a value or less. marks: int64 [M]
    from the last tabulated value to the end of the support; beyond: float64 [M], the law's probability of more.
    """

    values: Integers
    cumulative: Floats
    marks: Integers
    beyond: Floats
    alpha: float
    xmin: int
    xmax: int | None
    tail_share: float

    @classmethod
    def of(cls, sample: Histogram, scan: XminScan, xmax: int | None) -> Mixture:
        """Return the mixture of a sample and its scan."""
        body = sample.tail(1, scan.xmin - 1)
        end = LARGEST if xmax is None else xmax
        tabulated = np.arange(scan.xmin, min(end, scan.xmin + _TABLE - 1) + 1)
        marks = np.unique(np.geomspace(tabulated[-1], end, _MARKS).round().astype(np.int64))
        share = scan.n_tail / sample.n
        below = np.cumsum(body.counts) / sample.n
        return cls(
            values=np.concatenate([body.values, tabulated]),
            cumulative=np.concatenate([below, 1 - share * _beyond(scan.alpha, scan.xmin, xmax, tabulated)]),
            marks=marks,
            beyond=_beyond(scan.alpha, scan.xmin, xmax, marks),
            alpha=scan.alpha,
            xmin=scan.xmin,
            xmax=xmax,
            tail_share=share,
        )

    def draw(self, n: int, key: np.uint64) -> Histogram:
        """Return n values drawn with the words of the stream ``key``."""
        from critnb.criticality.tails.drawing import count_drawn

        counts, beyond = np.zeros(len(self.values), dtype=np.int64), np.empty(n)
        n_beyond = count_drawn(self.cumulative, self._first, np.uint64(key), n, counts, beyond)
        seen = np.flatnonzero(counts)
        drawn = Histogram(self.values[seen], counts[seen])
        if not n_beyond:
            return drawn
        far = Histogram.of(self._far(beyond[:n_beyond]))
        return Histogram(np.append(drawn.values, far.values), np.append(drawn.counts, far.counts))

    @cached_property
    def _first(self) -> npt.NDArray[np.intp]:
        from critnb.criticality.tails.drawing import first_places

        return first_places(self.cumulative)

    def _far(self, uniform: Floats) -> Integers:
        """Return the values beyond the table at given levels."""
        level = (1 - uniform) / self.tail_share
        place = np.clip(np.searchsorted(-self.beyond, -level, side="right"), 1, len(self.marks) - 1)
        low, high = self.marks[place - 1], self.marks[place]
        while np.any(high - low > 1):
            middle = (low + high) // 2
            is_beyond = _beyond(self.alpha, self.xmin, self.xmax, middle) >= level
            low, high = np.where(is_beyond, middle, low), np.where(is_beyond, high, middle)
        return high


def _beyond(alpha: float, xmin: int, xmax: int | None, values: Integers) -> Floats:
    """Return the law's probability of more than each value, float64 [V]."""
    law = survival(np.array([alpha]), np.array([float(xmin)]), xmax, values[None].astype(np.float64))
    beyond: Floats = np.maximum(law.reach - law.mass, 0.0)[0]
    return beyond
