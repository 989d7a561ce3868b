"""Branching and susceptibility of every condition of a raster, each number beside its nulls and its bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import NullId
from critnb.criticality.bootstrap import Interval, between_windows, paired_difference, percentile_interval
from critnb.criticality.branching import Branching, BranchingSums, branching_sums, expected_under_permutation
from critnb.criticality.metrics import condition_metrics
from critnb.criticality.null_sample import NullSample
from critnb.criticality.nulltest import compare
from critnb.criticality.susceptibility import chi, chi_intensive
from critnb.errors import DataError
from critnb.lattice import PRIMARY, RASTER_NULLS, Raster, why_not_drawn

Floats = npt.NDArray[np.float64]
_ONE_WINDOW = "one window: no interval"
_FEW_RESAMPLES = (
    "in over a tenth of the resamples no active site has a successor in the lattice, so that there is no interval"
)

RATIOS = ("b_time", "b_depth", "b_tot")


@dataclass(frozen=True, eq=False)
class Excess:
    """A branching ratio of every condition against one null, each number [C]; NaN where not available.

    delta: the ratio minus the mean over null replicates, with its bootstrap interval; the rest as in ``NullComparison``,
    ``replicates`` 0 where not available.
    """

    delta: Floats
    null_mean: Floats
    null_sd: Floats
    z: Floats
    p_one_sided: Floats
    replicates: npt.NDArray[np.int64]
    interval: Interval


@dataclass(frozen=True, eq=False)
class Activity:
    """Branching and chi of every condition.

    metrics: ``condition_metrics`` of the raster. chi_intensive [C]. intervals: of b_time, b_depth, b_tot, chi and
    chi_intensive, each [C]. excess: by raster null and ratio. expected_b_tot [C]: the closed form of b_tot under the
    permutation. reasons: why a condition lacks b_tot, its excess over a null or an interval of them, empty where it lacks
    none. resampled: b_tot, delta_b_tot (over the primary null) and chi of every bootstrap replicate, each [R, C], the same
    sequences for every condition.
    """

    metrics: pd.DataFrame
    chi_intensive: Floats
    intervals: Mapping[str, Interval]
    excess: Mapping[NullId, Mapping[str, Excess]]
    expected_b_tot: Floats
    reasons: Sequence[str]
    resampled: Mapping[str, Floats]

    def difference(self, name: str, *, first: int, second: int) -> tuple[float, float, float]:
        """Return b_tot, delta_b_tot or chi of one condition minus that of another, and the ends of its paired interval."""
        delta = self.excess[PRIMARY]["b_tot"].delta
        values = delta if name == "delta_b_tot" else self.metrics[name].to_numpy(dtype=np.float64)
        return paired_difference(values, self.resampled[name], first=first, second=second)


def activity(raster: Raster, nulls: Mapping[NullId, NullSample], weights: npt.NDArray[np.int64]) -> Activity:
    """Compute branching and chi of every condition, with the bootstrap ``weights`` [R, N] over the raster's sequences.

    nulls: a sample of each raster null, of the same conditions and windows. A delta is b minus the mean over null
    replicates; in its interval the null's per-sequence means are resampled with the weights that resample b.

    Raises:
        DataError: a null is missing, or not of the raster's conditions and windows.
    """
    _check(raster, nulls)
    sums = BranchingSums.stack([branching_sums(counts) for counts in raster.counts])
    expected = BranchingSums.stack([expected_under_permutation(counts) for counts in raster.counts])
    real, resampled = sums.pooled(), sums.weighted(weights)
    resampled_null = {null_id: nulls[null_id].sequence_means.weighted(weights) for null_id in RASTER_NULLS}
    replicates = {name: between_windows(getattr(resampled, name), weights) for name in RATIOS}
    events = raster.counts.sum(axis=(2, 3), dtype=np.int64)
    replicates["chi"] = between_windows(chi(events, weights), weights)
    metrics = condition_metrics(raster)
    intervals = {name: percentile_interval(values) for name, values in replicates.items()}
    intervals["chi_intensive"] = percentile_interval(between_windows(chi_intensive(events, weights), weights))
    excess = {
        null_id: {name: _excess(name, real, nulls[null_id], replicates[name], of_null) for name in RATIOS}
        for null_id, of_null in resampled_null.items()
    }
    replicates["delta_b_tot"] = replicates["b_tot"] - resampled_null[PRIMARY].b_tot
    why_not = _why_not(raster)
    judged = [of_null["b_tot"] for null_id, of_null in excess.items() if null_id not in why_not]
    reasons = _reasons(
        metrics,
        sums,
        deltas=np.stack([one.delta for one in judged]),
        lows=np.stack([intervals["b_tot"].low, *(one.interval.low for one in judged)]),
    )
    reasons = ["; ".join(filter(None, (why, *why_not.values()))) for why in reasons]
    return Activity(metrics, chi_intensive(events), intervals, excess, expected.pooled().b_tot, reasons, replicates)


def _why_not(raster: Raster) -> dict[NullId, str]:
    """Return the nulls that cannot be drawn of a raster, and why."""
    found = {null_id: why_not_drawn(raster.counts[0], raster.tokens, null_id) for null_id in RASTER_NULLS}
    return {
        null_id: f"no comparison with the {RASTER_NULLS[null_id].noun}: {why}" for null_id, why in found.items() if why
    }


def _check(raster: Raster, nulls: Mapping[NullId, NullSample]) -> None:
    for null_id in RASTER_NULLS:
        if null_id not in nulls:
            raise DataError(f"summary: no sample of {null_id}")
        if nulls[null_id].sequence_means.shape != raster.counts.shape[:2]:
            raise DataError(f"summary: the sample of {null_id} is not of this raster's conditions and windows")


def _excess(name: str, real: Branching, null: NullSample, resampled: Floats, resampled_null: Branching) -> Excess:
    """Compare one ratio [C] with its replicates under a null; its resamples with those of the null, both [B, C]."""
    pairs = zip(getattr(real, name), null.ratios(name), strict=True)
    compared = [compare(float(value), replicates) for value, replicates in pairs]
    numbers = ("delta", "null_mean", "null_sd", "z", "p_one_sided", "replicates")
    return Excess(
        **{number: np.array([getattr(one, number) for one in compared]) for number in numbers},
        interval=percentile_interval(resampled - getattr(resampled_null, name)),
    )


def _reasons(metrics: pd.DataFrame, sums: BranchingSums, *, deltas: Floats, lows: Floats) -> list[str]:
    """``deltas`` over each null, and the lower ends ``lows`` of every interval that is judged, both [..., C]."""
    has_next_token, has_next_layer = (sites.sum(axis=-1) > 0 for sites in (sums.time_sites, sums.depth_sites))
    is_compared, has_intervals = (~np.isnan(each.sum(axis=0)) for each in (deltas, lows))
    given = (metrics["occupancy"], metrics["b_tot"], has_next_token, has_next_layer, is_compared, has_intervals)
    no_interval = _ONE_WINDOW if sums.shape[-1] == 1 else _FEW_RESAMPLES
    return [_why(*each, no_interval=no_interval) for each in zip(*given, strict=True)]


def _why(
    occupancy: float,
    b_tot: float,
    has_next_token: bool,
    has_next_layer: bool,
    is_compared: bool,
    has_intervals: bool,
    *,
    no_interval: str,
) -> str:
    """Return why a condition lacks b_tot, its excess over a null, or an interval; empty where it lacks none."""
    if not occupancy > 0:
        return "there is no event in any window"
    if np.isnan(b_tot):
        missing = "layer" if has_next_token else "layer or token" if not has_next_layer else "token"
        return f"no active site has a next {missing} in the lattice, so that b_tot is not defined"
    if not is_compared:
        return "under a null fewer than two replicates have an active site with a successor, so that nothing can be compared"
    return "" if has_intervals else no_interval
