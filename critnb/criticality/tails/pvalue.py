"""The p-value of a power-law fit by Monte Carlo (Clauset, Shalizi and Newman 2009, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.tails.histogram import LARGEST, Histogram, Integers
from critnb.criticality.tails.laws import mle_exponent
from critnb.criticality.tails.powersums import survival
from critnb.criticality.tails.scan import XminCandidates, XminScan, closest
from critnb.lattice.randomness import root_key, words

Floats = npt.NDArray[np.float64]

# So many integers of the fitted law are tabulated, then so many marks on to the end of the support, evenly spaced in
# ln k: a draw beyond the table is found by bisection between two marks.
_TABLE = 2**14
_MARKS = 2**12
# Replicates whose exponents are fitted in one call.
_BATCH = 64


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
        drawn = [mixture.draw(sample.n, words(root, number)) for number in numbers]
        for again in scan_all(drawn, xmax=xmax, min_tail=min_tail):
            kept += again.available
            reached += again.available and again.distance >= scan.distance
    return (1 + reached) / (kept + 1) if kept else float("nan")


def scan_all(samples: list[Histogram], *, xmax: int | None, min_tail: int) -> Iterator[XminScan]:
    """Yield the scan of each sample that has a candidate, all exponents fitted in one call."""
    every = [XminCandidates.of(sample, xmax=xmax, min_tail=min_tail) for sample in samples]
    some = [candidates for candidates in every if candidates.size]
    if not some:
        return
    means, lowest = (np.concatenate(parts) for parts in zip(*((one.mean_log, one.xmin) for one in some), strict=True))
    alphas = mle_exponent(means, xmin=lowest, xmax=xmax)
    ends = np.cumsum([one.size for one in some])
    for candidates, alpha in zip(some, np.split(alphas, ends[:-1]), strict=True):
        yield closest(candidates, alpha)


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

    def draw(self, n: int, key: np.uint64 | npt.NDArray[np.uint64]) -> Histogram:
        """Return n values drawn with the words of the stream ``key``."""
        uniform = (words(key, np.arange(n)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        place = np.searchsorted(self.cumulative, uniform, side="right")
        counts = np.bincount(place, minlength=len(self.values) + 1)
        seen = np.flatnonzero(counts[:-1])
        drawn = Histogram(self.values[seen], counts[seen].astype(np.int64))
        if not counts[-1]:
            return drawn
        far = Histogram.of(self._far(uniform[place == len(self.values)]))
        return Histogram(np.append(drawn.values, far.values), np.append(drawn.counts, far.counts))

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
