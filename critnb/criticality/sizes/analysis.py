"""Everything about the avalanches of one condition: tails, exponents, crackling, multistep regression, and each one's null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON, Adjacency, NullId, SizeDef
from critnb.criticality.multistep import Multistep, along_depth, along_tokens, multistep
from critnb.criticality.sizes.avalanches import find_avalanches
from critnb.criticality.sizes.exponents import Exponents, Ints, ResampledEstimate, estimate_exponent, exponents
from critnb.criticality.sizes.pooling import NullSource, PooledNull, pool_null
from critnb.criticality.sizes.profiles import Profiles, profiles
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.criticality.sizes.scaling import CriticalReference, reference
from critnb.criticality.tails import Histogram, TailFit, XminScan, fit_tail, ks_p_value
from critnb.lattice import PRIMARY, Raster, null_when_asked

Counts = npt.NDArray[np.uint16]
REAL, PERMUTED, MARGINS = NullId.NULL_NONE, PRIMARY, NullId.NULL_RASTER_FIXED_MARGINS
_CONST = CANON.CONST


@dataclass(frozen=True, eq=False)
class Settings:
    """What all conditions share: lattice, default adjacency, bootstrap weights [R, N], critical cascades, replicates, seeds.

    adjacencies, size_defs: those that exponents are estimated for; the default adjacency and SIZE_EVENTS must be among them.
    p_replicates: 0 leaves the p-values of the KS fits out.
    """

    lattice: Lattice
    adjacency: Adjacency
    weights: npt.NDArray[np.int64] = field(repr=False)
    critical: AvalancheSample = field(repr=False)
    p_replicates: int = _CONST.TAIL_P_REPLICATES
    reference_replicates: int = _CONST.REFERENCE_REPLICATES
    seed: int = _CONST.BOOTSTRAP_SEED
    adjacencies: tuple[Adjacency, ...] = tuple(Adjacency)
    size_defs: tuple[SizeDef, ...] = tuple(SizeDef)
    null_seed: int = _CONST.NULL_SEED


@dataclass(frozen=True, eq=False)
class TailAnalysis:
    """The tail of one statistic: the fit above its quantile over all avalanches, and the KS fit's p over uncensored ones.

    alpha is the fit's power-law exponent with replicates of the sequence bootstrap.
    """

    fit: TailFit
    alpha: ResampledEstimate
    scan: XminScan
    p_value: float


@dataclass(frozen=True, eq=False)
class SizeAnalysis:
    """One condition: ``exponents`` by (null, adjacency, size definition), the regressions ``tokens`` and ``depth`` by null.

    Those of the null are of one replicate; pooled: the primary null's of as many as they need, under the default adjacency.
    """

    exponents: Mapping[tuple[NullId, Adjacency, SizeDef], Exponents]
    pooled: PooledNull
    sizes: TailAnalysis
    durations: TailAnalysis
    tokens: Mapping[NullId, Multistep]
    depth: Mapping[NullId, Multistep]
    reference: CriticalReference
    collapse: Profiles
    occupancy: float


@dataclass(frozen=True, eq=False)
class SizeShard:
    """The raster of one condition, what its nulls are drawn from; replicates: how many of the primary null may be pooled.

    margins: whether the null of fixed margins is drawn of it, too.
    """

    raster: Raster
    replicates: int = 1
    margins: bool = True

    @property
    def key(self) -> bytes:
        """What names the condition in the random streams of p-values."""
        return self.raster.conditions[0].key()


def analyse_sizes(shard: SizeShard, settings: Settings) -> SizeAnalysis:
    """Analyse the avalanches of one condition; raises DataError as ``find_avalanches`` does."""
    counts, seq_id = shard.raster.counts[0], shard.raster.seq_id
    sources = {REAL: counts, PERMUTED: _drawn(shard, PERMUTED, settings)}
    found = {
        (null_id, adjacency): find_avalanches(source, seq_id, adjacency)
        for null_id, source in sources.items()
        for adjacency in settings.adjacencies
    }
    samples = {
        (*which, size_def): AvalancheSample.of(avalanches, seq_id, size_def)
        for which, avalanches in found.items()
        for size_def in settings.size_defs
    }
    estimated: dict[tuple[NullId, Adjacency, SizeDef], Exponents] = {}
    for (null_id, adjacency, size_def), sample in samples.items():  # the real raster's come first
        estimated[null_id, adjacency, size_def] = exponents(
            sample,
            settings.weights,
            lattice=settings.lattice,
            size_def=size_def,
            like=None if null_id is REAL else estimated[REAL, adjacency, size_def],
            same_durations=estimated.get((null_id, adjacency, settings.size_defs[0])),
        )
    main = (REAL, settings.adjacency, SizeDef.SIZE_EVENTS)
    regressed = sources | ({MARGINS: _drawn(shard, MARGINS, settings)} if shard.margins else {})
    sizes, durations = _tails(samples[main], estimated[main], settings, shard.key)
    return SizeAnalysis(
        exponents=estimated,
        pooled=_pooled(shard, settings, estimated[main], samples[main], samples[PERMUTED, *main[1:]]),
        sizes=sizes,
        durations=durations,
        tokens={null_id: _multistep(along_tokens(source), settings) for null_id, source in regressed.items()},
        depth={null_id: _multistep(along_depth(source), settings) for null_id, source in regressed.items()},
        reference=_reference(estimated[main], settings),
        collapse=profiles(counts, seq_id, settings.adjacency),
        occupancy=float((counts > 0).mean()) if counts.size else float("nan"),
    )


def _drawn(shard: SizeShard, null_id: NullId, settings: Settings) -> Counts:
    """Return one replicate of a null of the shard's condition, uint16 [N, L, T]."""
    return null_when_asked(shard.raster, null_id, seed=settings.null_seed).counts[0]


def _pooled(
    shard: SizeShard, settings: Settings, real: Exponents, sample: AvalancheSample, first: AvalancheSample
) -> PooledNull:
    raster = shard.raster
    source = NullSource(raster.counts[0], raster.seq_id, shard.key, settings.null_seed, settings.adjacency)
    return pool_null(
        source, first, real, sample,
        weights=settings.weights, lattice=settings.lattice, size_def=SizeDef.SIZE_EVENTS, replicates=shard.replicates,
    )  # fmt: skip


def _tails(
    sample: AvalancheSample, estimated: Exponents, settings: Settings, key: bytes
) -> tuple[TailAnalysis, TailAnalysis]:
    inner = sample.uncensored()
    lattice, events = settings.lattice, SizeDef.SIZE_EVENTS
    sizes = _tail(
        sample.size, sample.sequence, inner.size, estimated.size_scan, settings, key=key + b" S",
        bounds=(lattice.largest_size(events, inside=False), lattice.largest_size(events, inside=True)),
    )  # fmt: skip
    durations = _tail(
        sample.duration, sample.sequence, inner.duration, estimated.duration_scan, settings, key=key + b" D",
        bounds=(lattice.longest_duration(inside=False), lattice.longest_duration(inside=True)),
    )  # fmt: skip
    return sizes, durations


def _tail(
    values: Ints, sequence: npt.NDArray[np.intp], inner: Ints, scan: XminScan, settings: Settings, *, key: bytes,
    bounds: tuple[int, int],
) -> TailAnalysis:  # fmt: skip
    """``bounds``: the largest value that a window allows, and the largest away from its edges."""
    histogram = Histogram.of(values)
    quantile = histogram.quantile(_CONST.TAIL_FIT_XMIN_PERCENTILE)
    fit = fit_tail(histogram, xmin=1 if quantile is None else quantile, xmax=bounds[0])
    support = XminScan(fit.xmin, fit.alpha_powerlaw, float("nan"), fit.n_tail, fit.available, fit.reason)
    alpha = estimate_exponent(values, sequence, support, bounds[0], settings.weights)
    p_value = float("nan")
    if scan.available and settings.p_replicates:
        p_value = ks_p_value(
            Histogram.of(inner), scan, xmax=bounds[1], replicates=settings.p_replicates, seed=settings.seed, key=key
        )
    return TailAnalysis(fit, alpha, scan, p_value)


def _multistep(activity: npt.NDArray[Any], settings: Settings) -> Multistep:
    return multistep(activity, weights=settings.weights, max_lag=None)


def _reference(observed: Exponents, settings: Settings) -> CriticalReference:
    return reference(
        observed,
        settings.critical,
        size_max=settings.lattice.largest_size(SizeDef.SIZE_EVENTS, inside=True),
        duration_max=settings.lattice.longest_duration(inside=True),
        replicates=settings.reference_replicates,
        seed=settings.seed,
    )
