"""The confidence set of gains: those whose distance of b_tot from one is not distinguishable from the smallest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.criticality.branching import BranchingSums, Floats

LEVEL = 0.95
ONE_GAIN = "the grid has one gain, so there is nothing to compare it with"
# Far above the rounding error of b_tot and of a difference of gains, far below any difference that means something.
TIE = 1e-12
# a gain whose b_tot fewer replicates than these define is not compared, and not ruled out
_MIN_DEFINED = 0.9
# so many numbers of one kind are held at a time
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class GainSet:
    """Which gains [G] are in the set, and why no single gain is identified, empty where one is."""

    members: npt.NDArray[np.bool_]
    reason: str


@dataclass(frozen=True, eq=False)
class _Estimates:
    """b_tot minus one, [..., G], and the covariance of its sampling error, [..., G, G]."""

    excess: Floats
    covariance: Floats


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Differences and sums of the excesses x of two gains first < second, both [..., P], with their standard errors.

    |x_i| > |x_j| is the same as (x_i - x_j)(x_i + x_j) > 0, and neither factor has the fold that |x| has at x = 0, where
    a bootstrap of |x| itself would not be valid.
    """

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    contrasts: Floats  # [2, ..., P]
    errors: Floats  # [2, ..., P], zero where there is no spread


def confidence_set(sums: BranchingSums, weights: npt.NDArray[np.int64], level: float = LEVEL) -> GainSet:
    """Return the model confidence set of the gains for the loss |b_tot - 1|, from sums [G, N] and weights [R, N].

    The sequential test with the range statistic T_R of Hansen, Lunde and Nason (2011), Econometrica 79, 453: as long as some
    gain is significantly farther from one than another of those left, the one with the largest statistic is taken out. A
    gain is significantly farther where both the difference and the sum of the two excesses b_tot - 1 differ from zero with
    the signs that say so (an intersection-union test), by more than the critical value: the quantile at ``level``, over
    bootstrap replicates, of the largest studentised deviation of any difference or sum of the gains left. Standard errors are
    those of the ratios' linearisation, anew in each replicate. All replicates draw the same windows for every gain.

    A gain whose b_tot is NaN is no member. A pair without spread is not told apart. Where nothing can be compared every
    gain with a b_tot is a member, with the reason.
    """
    excess = sums.pooled().b_tot - 1
    members = ~np.isnan(excess)
    if reason := _nothing_to_compare(members, sums.shape[1]):
        return GainSet(members, reason)
    resampled = sums.weighted(weights).b_tot - 1
    compared = members & (np.mean(~np.isnan(resampled), axis=0) >= _MIN_DEFINED)
    rows = np.flatnonzero(compared)
    kept = _eliminate(sums[rows], weights, level) if len(rows) > 1 else np.ones(len(rows), dtype=np.bool_)
    members[rows[~kept]] = False
    left = int(members.sum())
    return GainSet(members, "" if left == 1 else f"{left} gains cannot be told apart by how far b_tot is from one")


def _nothing_to_compare(defined: npt.NDArray[np.bool_], n_windows: int) -> str:
    if len(defined) == 1:
        return ONE_GAIN
    if defined.sum() < 2:
        return "b_tot is defined at one gain alone, so there is nothing to compare it with"
    return "" if n_windows > 1 else "there is one window, so nothing says how b_tot varies between windows"


def _eliminate(sums: BranchingSums, weights: npt.NDArray[np.int64], level: float) -> npt.NDArray[np.bool_]:
    """Return which gains [G] are left."""
    n_gains, n_windows = sums.shape
    real = _pairs(_estimates(sums, np.ones((1, n_windows), dtype=np.int64)))
    found = real.contrasts[:, 0]
    spread = real.errors[:, 0] > 0
    t = np.divide(found, real.errors[:, 0], out=np.zeros_like(found), where=spread & (np.abs(found) > TIE))
    farther = np.where(t[0] * t[1] > 0, real.first, real.second)
    apart = np.abs(t).min(axis=0)
    deviations = _deviations(sums, weights, found)
    left = np.ones(n_gains, dtype=np.bool_)
    while left.sum() > 1:
        among = left[real.first] & left[real.second]
        worst = int(np.where(among, apart, -1.0).argmax())
        if not apart[worst] > _quantile(deviations[:, among].max(axis=1), level):
            break
        left[farther[worst]] = False
    return left


def _quantile(largest: Floats, level: float) -> float:
    """Return the order statistic that a further replicate exceeds with probability 1 - level at most; inf if too few."""
    rank = math.ceil(level * (len(largest) + 1))
    return float(np.partition(largest, rank - 1)[rank - 1]) if rank <= len(largest) else math.inf


def _deviations(sums: BranchingSums, weights: npt.NDArray[np.int64], centre: Floats) -> Floats:
    """Return, per replicate and pair [R, P], the larger studentised deviation of difference and sum from ``centre`` [2, P].

    A replicate in which a pair has no spread but another value than the sample counts as infinitely far; one that does not
    define b_tot counts for nothing.
    """
    n_gains, n_windows = sums.shape
    step = max(1, _BLOCK // (n_gains * n_windows))
    parts = []
    for start in range(0, len(weights), step):
        pairs = _pairs(_estimates(sums, weights[start : start + step]))
        off = np.abs(pairs.contrasts - centre[:, None])
        off[np.isnan(off) | (off <= TIE)] = 0.0
        infinite = np.where(off > 0, np.inf, 0.0)
        parts.append(np.divide(off, pairs.errors, out=infinite, where=pairs.errors > 0).max(axis=0))
    return np.concatenate(parts)


def _estimates(sums: BranchingSums, weights: npt.NDArray[np.int64]) -> _Estimates:
    """Return the estimates of resampled windows: a ratio's error is the mean of its windows' influence, to first order."""
    drawn = weights.astype(np.float64)
    resampled = sums.weighted(weights)
    influence = sum(
        (pairs - ratio[..., None] * sites) * _inverse(drawn @ sites.T)[..., None]
        for pairs, sites, ratio in (
            (sums.time_pairs, sums.time_sites, resampled.b_time),
            (sums.depth_pairs, sums.depth_sites, resampled.b_depth),
        )
    )  # [R, G, N]
    n = weights.shape[1]
    covariance = (influence * drawn[:, None]) @ np.swapaxes(influence, 1, 2) * (n / (n - 1))
    return _Estimates(resampled.b_tot - 1, covariance)


def _inverse(total: Floats) -> Floats:
    return np.divide(1.0, total, out=np.full_like(total, np.nan), where=total > 0)


def _pairs(of: _Estimates) -> _Pairs:
    first, second = np.triu_indices(of.excess.shape[-1], 1)
    x, y = of.excess[..., first], of.excess[..., second]
    each = np.diagonal(of.covariance, axis1=-2, axis2=-1)
    both, shared = each[..., first] + each[..., second], 2 * of.covariance[..., first, second]
    variance = np.stack([both - shared, both + shared])
    # what is left of two equal variances is rounding, and so is a variance that is as small as the square of a tie
    none = ~(variance > np.maximum(TIE * both, TIE**2))
    return _Pairs(first, second, np.stack([x - y, x + y]), np.sqrt(np.where(none, 0.0, variance)))
