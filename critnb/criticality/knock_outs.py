"""Branching by intervention: what vanishes and appears above a layer whose events were put out, per window and pooled.

A knock-out puts every unit that has an event, at its token, to its mean; two controls put out as many units that matter as
little as possible: random units without an event at the same sites, and the same units at random other tokens. Only what
the knock-out does beyond a control is passed on by the events themselves (Priesemann and Shriki 2018, PLOS Computational
Biology 14, e1006081, on why activity alone cannot tell).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from critnb.criticality.bootstrap import Floats, percentile_interval
from critnb.errors import DataError
from critnb.lattice.randomness import root_key, words

Counts = npt.NDArray[np.int64]
_FLIPS = 1999


class Variant(IntEnum):
    """What is put to its mean; the places on the axis of variants."""

    EVENTS = 0
    RANDOM_UNITS = 1
    RANDOM_PLACES = 2


@dataclass(frozen=True, eq=False)
class KnockOutSums:
    """What knock-outs did, per window and layer: [..., V, N, L-1] with V ``Variant``s, or [..., N, L-1] where they share it.

    For a knock-out in layer l (int64): out, units put to their mean; lost_next and new_next, events that vanished from
    and appeared in layer l+1; lost_above and new_above, the same over all layers above l; pairs, sites of layer l with an
    event whose site (t, l+1) is occupied afterwards; expected (float64), k k''/T, what random order of the tokens would
    give for them. Before any knock-out: events_next of layer l+1, pairs_before and expected_before. Raises DataError where the
    shapes do not fit.
    """

    out: Counts
    lost_next: Counts
    new_next: Counts
    lost_above: Counts
    new_above: Counts
    pairs: Counts
    expected: Floats
    events_next: Counts
    pairs_before: Counts
    expected_before: Floats

    def __post_init__(self) -> None:
        shapes = {name: array.shape for name, array in self.arrays().items()}
        every = self.out.shape
        shared = (*every[:-3], *every[-2:])
        wanted = {name: shared if name in _SHARED else every for name in shapes}
        if len(every) < 3 or every[-3] != len(Variant) or shapes != wanted:
            raise DataError(f"knock-outs: arrays must be [..., {len(Variant)}, N, L-1] of one shape, not {shapes}")

    def __getitem__(self, index: Any) -> Self:
        """Return the sums at an index of the axes before variants."""
        return type(self)(**{name: array[index] for name, array in self.arrays().items()})

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (..., N, L-1) of what the variants share."""
        return self.pairs_before.shape

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name, as a checkpoint or a file holds them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """Inverse of ``arrays``; further arrays are left aside."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    @classmethod
    def zeros(cls, shape: Sequence[int]) -> Self:
        """Return sums (..., N, L-1) of nothing, to be filled."""
        every = (*shape[:-2], len(Variant), *shape[-2:])
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name in (field.name for field in fields(cls)):
            dtype = np.float64 if name.startswith("expected") else np.int64
            arrays[name] = np.zeros(tuple(shape) if name in _SHARED else every, dtype=dtype)
        return cls(**arrays)

    @classmethod
    def concatenate(cls, parts: Sequence[KnockOutSums]) -> Self:
        """Join shards of windows."""
        if not parts:
            raise DataError("knock-outs: there is nothing to join")
        columns = [part.arrays() for part in parts]
        return cls(**{name: np.concatenate([each[name] for each in columns], axis=-2) for name in columns[0]})

    def fewer(self, variant: Variant) -> Counts:
        """Return how many events fewer layer l+1 has after a knock-out, lost minus new [..., N, L-1]."""
        return self.lost_next[..., variant, :, :] - self.new_next[..., variant, :, :]

    def fewer_above(self, variant: Variant) -> Counts:
        """Return the same over all layers above l."""
        return self.lost_above[..., variant, :, :] - self.new_above[..., variant, :, :]

    def excess(self, variant: Variant) -> Floats:
        """Return by how much pairs exceed random order after a knock-out [..., N, L-1]."""
        return self.pairs[..., variant, :, :] - self.expected[..., variant, :, :]

    @property
    def excess_before(self) -> Floats:
        """By how much pairs exceed random order before any knock-out [..., N, L-1]."""
        excess: Floats = self.pairs_before - self.expected_before
        return excess


_SHARED = frozenset({"events_next", "pairs_before", "expected_before"})


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums over windows with its 95 % interval (expanded percentiles); NaN where not available, for a ``reason``."""

    value: float
    low: float = float("nan")
    high: float = float("nan")
    reason: str = ""


@dataclass(frozen=True, eq=False)
class KnockOutSummary:
    """What knock-outs of one condition show, pooled over windows and layers.

    sigma_depth: (lost - new in layer l+1, events minus random units) / events put out; at_places: the same against random
    places; offspring, offspring_at_places: these over all layers above. causal_share: the part of the excess of b_depth
    that goes when events are put out, (excess after random units - excess after events) / excess before. lost_share and
    new_share: of the events of layer l+1. by_layer: sigma_depth of each layer below the last. p_value: one-sided, that
    sigma_depth is above zero (``sign_flip_p``). events_out over ``windows`` windows.
    """

    sigma_depth: Ratio
    at_places: Ratio
    offspring: Ratio
    offspring_at_places: Ratio
    causal_share: Ratio
    lost_share: Ratio
    new_share: Ratio
    by_layer: tuple[Ratio, ...]
    p_value: float
    events_out: int
    windows: int
    reason: str = ""

    @property
    def available(self) -> bool:
        """Whether anything was put out at all."""
        return not self.reason


def summarise_knock_outs(
    sums: KnockOutSums, weights: npt.NDArray[np.int64], *, seed: int, window_ids: npt.NDArray[np.integer] | None = None
) -> KnockOutSummary:
    """Summarise the sums [V, N, L-1] of one condition; weights [R, N] are those of ``multinomial_weights``.

    ``seed`` and ``window_ids`` [N] key the random signs of the p-value. One window has no interval. Raises DataError where
    the sums are not of one condition or the weights not of its windows.
    """
    if len(sums.shape) != 2 or weights.shape[-1] != sums.shape[0]:
        raise DataError(f"knock-outs: sums of {sums.shape} windows and layers do not fit weights {weights.shape}")
    out, fewer = sums.out[Variant.EVENTS], sums.fewer(Variant.EVENTS)
    beside = {variant: fewer - sums.fewer(variant) for variant in (Variant.RANDOM_UNITS, Variant.RANDOM_PLACES)}
    above = {variant: sums.fewer_above(Variant.EVENTS) - sums.fewer_above(variant) for variant in beside}
    over_units = beside[Variant.RANDOM_UNITS]
    per_out, per_next = _Pooled(out, weights, _NOTHING_OUT), _Pooled(sums.events_next, weights, _NOTHING_NEXT)
    ids = np.arange(len(out)) if window_ids is None else window_ids
    return KnockOutSummary(
        per_out(over_units),
        per_out(beside[Variant.RANDOM_PLACES]),
        per_out(above[Variant.RANDOM_UNITS]),
        per_out(above[Variant.RANDOM_PLACES]),
        _causal_share(sums, weights),
        per_next(sums.lost_next[Variant.EVENTS]),
        per_next(sums.new_next[Variant.EVENTS]),
        by_layer=tuple(
            _Pooled(out[:, [layer]], weights, _NOTHING_OUT)(over_units[:, [layer]]) for layer in range(out.shape[1])
        ),
        p_value=sign_flip_p(over_units.sum(axis=1), ids, seed) if out.any() else float("nan"),
        events_out=int(out.sum()),
        windows=len(out),
        reason="" if out.any() else _NOTHING_OUT,
    )


def sign_flip_p(differences: npt.NDArray[Any], window_ids: npt.NDArray[np.integer], seed: int) -> float:
    """Return the one-sided p that the sum of differences [N] is above zero, from 1999 random choices of their signs.

    Exact where knock-out and control are exchangeable within a window (Fisher 1935, The Design of Experiments, section 21):
    (1 + #{flipped sum >= sum}) / (1999 + 1). Signs are words of each window's own stream.
    """
    keys = words(root_key(seed, b"knock-outs", b"signs"), window_ids)
    signs = 1 - 2 * (words(keys[:, None], np.arange(_FLIPS)) & np.uint64(1)).astype(np.int64)
    # tensordot of whole numbers: equal sums are equal
    flipped = np.tensordot(np.asarray(differences, dtype=np.int64), signs, axes=1)
    return float(1 + np.count_nonzero(flipped >= differences.sum())) / (_FLIPS + 1)


def expanded_level(n: int, level: float = 0.95) -> float:
    """Return the level at which percentiles of resampled means of n values have the coverage ``level``.

    The percentile interval is short for few windows, as if n stood for n - 1 and the normal for Student's distribution; with
    16 windows it holds the truth in 92 %. The expanded one takes percentiles further out (Hesterberg 2015, The American
    Statistician 69, 371).
    """
    if n < 2:
        return level
    return float(1 - 2 * ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))


_NOTHING_OUT = "no event was put out: none of the layers below has one"
_NOTHING_NEXT = "the layers above have no event that could be lost"
_ONE_WINDOW = "one window: no interval"
_UNSURE = "its interval is not available: too many resamples have nothing to divide by"
_NO_EXCESS = "b_depth has no excess over random order whose interval lies above zero, so there is nothing to share out"


@dataclass(frozen=True, eq=False)
class _Pooled:
    """Sums over windows and layers, divided by those of ``below`` [N, K]; and the same of resampled windows."""

    below: npt.NDArray[Any]
    weights: npt.NDArray[np.int64]
    nothing: str

    def __call__(self, above: npt.NDArray[Any]) -> Ratio:
        numerator, denominator = (each.sum(axis=1).astype(np.float64) for each in (above, self.below))
        if not denominator.sum():
            return Ratio(float("nan"), reason=self.nothing)
        value = float(numerator.sum() / denominator.sum())
        if len(denominator) < 2:
            return Ratio(value, reason=_ONE_WINDOW)
        divisor = self.weights @ denominator
        replicates = np.full(len(divisor), np.nan)
        np.divide(self.weights @ numerator, divisor, out=replicates, where=divisor != 0)
        interval = percentile_interval(replicates, expanded_level(len(denominator)))
        low, high = float(interval.low), float(interval.high)
        return Ratio(value, low, high, _UNSURE if np.isnan(low) else "")


def _causal_share(sums: KnockOutSums, weights: npt.NDArray[np.int64]) -> Ratio:
    if not sums.out[Variant.EVENTS].any():
        return Ratio(float("nan"), reason=_NOTHING_OUT)
    before = sums.excess_before.sum(axis=1)
    resampled = percentile_interval(weights @ before, expanded_level(len(before)))
    if before.sum() <= 0 or (len(before) > 1 and not resampled.low > 0):
        return Ratio(float("nan"), reason=_NO_EXCESS)
    gone = sums.excess(Variant.RANDOM_UNITS) - sums.excess(Variant.EVENTS)
    return _Pooled(sums.excess_before, weights, _NO_EXCESS)(gone)
