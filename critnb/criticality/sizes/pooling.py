"""Exponents of a null that one replicate is too sparse for: replicates are pooled until they have what the real raster has.

A null without long avalanches is an answer and no gap. Each exponent draws on as many replicates, from the first on, as give
it the least that an estimate needs; where all of them together do not, what is compared is how often avalanches live long
and grow large. The windows are resampled with all of their replicates, so that an interval knows how windows differ and does
not shrink with the number of replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON, Adjacency, SizeDef
from critnb.criticality.sizes.exponents import Exponents, Samples, estimated
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.lattice import PRIMARY, draw_null

Counts = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]
_CONST = CANON.CONST
_POINTS, _PER_POINT = _CONST.CRACKLING_MIN_POINTS, _CONST.CRACKLING_MIN_AVALANCHES_PER_POINT
# The longest of the durations that the least slope rests on, and the same number of events: fixed before any data.
SURVIVAL_AT = _CONST.CRACKLING_D_RANGE[0] + _POINTS - 1
# Sites that are drawn at a time: a few tens of megabytes.
_BLOCK_SITES = 1 << 22
NAN = float("nan")


@dataclass(frozen=True)
class Survival:
    """The shares of avalanches with D and with S of at least SURVIVAL_AT, real and the mean over ``replicates`` of a null.

    p: one-sided, (1 + #{null >= real}) / (replicates + 1), the larger of both; NaN unless every replicate was drawn, as is
    done only where they are too sparse for a slope.
    """

    duration: float
    size: float
    null_duration: float
    null_size: float
    replicates: int
    p: float


@dataclass(frozen=True, eq=False)
class PooledNull:
    """The exponents of the primary null on the real raster's supports, of as many replicates as each needs.

    slope_replicates: what the slope of all avalanches rests on; relation_replicates: what the exponents of the uncensored
    ones do, the largest number; survival: of all replicates that were drawn.
    """

    exponents: Exponents
    slope_replicates: int
    relation_replicates: int
    survival: Survival


@dataclass(frozen=True, eq=False)
class NullSource:
    """What replicates are drawn from: counts uint16 [N, L, T] of one condition, its windows [N], key and the nulls' seed."""

    counts: Counts
    seq_id: npt.NDArray[np.int32]
    key: bytes
    seed: int
    adjacency: Adjacency

    def drawn(self, replicates: int) -> Iterator[tuple[range, AvalancheSample]]:
        """Yield the avalanches of replicates 1, 2, ... in growing blocks; ``sequence`` counts planes from the block's first."""
        from critnb.criticality.sizes.labelling import label_planes

        most = max(1, _BLOCK_SITES // max(1, self.counts.size))
        start, step = 1, 1
        while start < replicates:
            block = range(start, min(start + step, replicates))
            counts = draw_null(
                self.counts, self.seq_id, PRIMARY, seed=self.seed, condition_key=self.key, replicates=block
            )
            yield block, label_planes(counts.reshape(-1, *self.counts.shape[1:]), self.adjacency)
            start, step = block.stop, min(2 * step, most)


def pool_null(
    source: NullSource,
    first: AvalancheSample,
    real: Exponents,
    sample: AvalancheSample,
    *,
    weights: npt.NDArray[np.int64],
    lattice: Lattice,
    size_def: SizeDef,
    replicates: int,
) -> PooledNull:
    """Pool up to ``replicates`` replicates of the primary null.

    first: the avalanches of replicate 0; real, sample: exponents and avalanches of the real raster; weights [R, N]: the
    sequence bootstrap. How many are pooled depends on the counts alone and not on how they are drawn in blocks.
    """
    least = _PER_POINT
    while True:
        pools = _pools(real, least)
        drawn = _fill(pools, source, first, replicates)[:, : max(pool.replicates for pool in pools.values())]
        samples = Samples(**{name: pool.pooled() for name, pool in pools.items()})
        found = estimated(samples, weights, lattice=lattice, size_def=size_def, like=real)
        # a slope may still lack its interval, where the windows that its avalanches lie in are few
        if not _lacks_interval(found) or drawn.shape[1] == replicates:
            break
        least *= 2
    return PooledNull(
        found,
        pools["slope"].replicates,
        max(pools[name].replicates for name in ("sizes", "durations", "inner_slope")),
        _survival(sample, drawn, complete=not pools["slope"].done and replicates > 1),
    )


def _lacks_interval(found: Exponents) -> bool:
    return any(np.isnan(each.ci_low) and not np.isnan(each.gamma) for each in (found.crackling, found.gamma))


def _fill(
    pools: Mapping[str, _Pool], source: NullSource, first: AvalancheSample, replicates: int
) -> npt.NDArray[np.float64]:
    """Fill pools until all have enough, and return the shares [2, R] of long and of large avalanches of what was drawn."""
    none = np.zeros(len(first), dtype=np.intp)
    shares = [_shares(first, none, 1)]
    for pool in pools.values():
        pool.add(first, none, 0, 1)
    blocks = source.drawn(replicates)
    while not all(pool.done for pool in pools.values()) and (drawn := next(blocks, None)):
        block, found = drawn
        replicate, window = np.divmod(found.sequence, len(source.counts))
        of_windows = replace(found, sequence=window)
        for pool in pools.values():
            pool.add(of_windows, replicate, block.start, len(block))
        shares.append(_shares(found, replicate, len(block)))
    return np.concatenate(shares, axis=1)


@dataclass(eq=False)
class _Pool:
    """Avalanches of replicate after replicate until ``needed`` classes hold ``least`` of them each.

    of: the class of each avalanche, -1 for none. Only avalanches of a class are kept.
    """

    of: Callable[[AvalancheSample], Ints]
    classes: int
    needed: int
    least: int
    kept: list[AvalancheSample] = field(default_factory=list)
    replicates: int = 0
    done: bool = False
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.classes, dtype=np.int64)

    def add(self, sample: AvalancheSample, replicate: npt.NDArray[np.intp], start: int, n: int) -> None:
        """Take the avalanches of the n replicates from ``start`` on, up to the first that is enough."""
        if self.done:
            return
        of = self.of(sample)
        cells = (replicate * self.classes + of)[of >= 0]
        added = np.bincount(cells, minlength=n * self.classes).reshape(n, self.classes)
        so_far = self.counts + np.cumsum(added, axis=0)
        enough = (so_far >= self.least).sum(axis=1) >= self.needed
        used = int(enough.argmax()) + 1 if enough.any() else n
        self.kept.append(sample.where((of >= 0) & (replicate < used)))
        self.counts, self.replicates, self.done = so_far[used - 1], start + used, bool(enough.any())

    def pooled(self) -> AvalancheSample:
        """Return what was kept."""
        return AvalancheSample(
            **{
                each.name: np.concatenate([getattr(one, each.name) for one in self.kept])
                for each in fields(AvalancheSample)
            }
        )


def _pools(real: Exponents, least: int) -> dict[str, _Pool]:
    """Return a pool for each exponent, by the names of ``Samples``; what the real raster lacks needs no more than one."""
    compared = not np.isnan(real.dcc.value)
    sizes, durations = real.size_scan, real.duration_scan
    return {
        "sizes": _tail_pool("size", sizes.xmin, wanted=sizes.available),
        "durations": _tail_pool("duration", durations.xmin, wanted=durations.available and compared),
        "slope": _slope_pool(real.crackling.durations, least, inner=False, wanted=not np.isnan(real.crackling.gamma)),
        "inner_slope": _slope_pool(real.gamma.durations, least, inner=True, wanted=compared),
    }


def _tail_pool(name: str, xmin: int, *, wanted: bool) -> _Pool:
    def of(sample: AvalancheSample) -> Ints:
        return np.where(~sample.censored & (getattr(sample, name) >= xmin), 0, -1)

    return _Pool(of, 1, int(wanted), _CONST.TAIL_COMPARE_MIN_SAMPLES)


def _slope_pool(durations: Ints, least: int, *, inner: bool, wanted: bool) -> _Pool:
    def of(sample: AvalancheSample) -> Ints:
        place = np.full(max(int(sample.duration.max(initial=0)), int(durations.max(initial=0))) + 1, -1)
        place[durations] = np.arange(len(durations))
        return np.where(sample.censored & inner, -1, place[sample.duration])

    return _Pool(of, max(1, len(durations)), _POINTS if wanted else 0, least)


def _shares(sample: AvalancheSample, replicate: npt.NDArray[np.intp], n: int) -> npt.NDArray[np.float64]:
    """Return the shares [2, n] of each replicate's avalanches with D, and with S, of at least SURVIVAL_AT."""
    of_all = np.bincount(replicate, minlength=n)
    long = (np.bincount(replicate[each >= SURVIVAL_AT], minlength=n) for each in (sample.duration, sample.size))
    shares = np.full((2, n), np.nan)
    np.divide(np.stack(list(long)), of_all, out=shares, where=of_all > 0)
    return shares


def _survival(sample: AvalancheSample, null: npt.NDArray[np.float64], *, complete: bool) -> Survival:
    """``null`` [2, R]; complete: every replicate was drawn and they are too sparse for a slope."""
    real = _shares(sample, np.zeros(len(sample), dtype=np.intp), 1)
    replicates = null.shape[1]
    p = (1 + (null >= real).sum(axis=1)) / (replicates + 1)
    mean = null.mean(axis=1)
    known = complete and not np.isnan([*real.ravel(), *mean]).any()
    return Survival(
        float(real[0, 0]),
        float(real[1, 0]),
        float(mean[0]),
        float(mean[1]),
        replicates,
        float(p.max()) if known else NAN,
    )
