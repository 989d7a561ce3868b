"""Branching and susceptibility of every condition of a raster, each number beside its nulls and its bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import NullId
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.branching import Branching, BranchingSums, branching_sums, expected_under_permutation
from critnb.criticality.metrics import condition_metrics
from critnb.criticality.null_sample import NullSample
from critnb.criticality.nulltest import compare
from critnb.criticality.susceptibility import chi
from critnb.errors import DataError
from critnb.lattice.conditions import COND_ID, FIELDS
from critnb.lattice.raster import Raster

Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[np.generic]]

PERM = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
REASON = "opt_reason_branching"
_RATIOS = ("b_time", "b_depth", "b_tot")
_JUDGED = ("opt_b_tot", "opt_delta_b_tot", "opt_delta_b_tot_shift")


@dataclass(frozen=True, eq=False)
class Activity:
    """``rows``: one a condition, with its fields and the columns of branching and chi under T01's names.

    REASON says, as words, why b_tot, its excess or an interval of them is not available; it is empty where all are there.
    ``resampled``: b_tot, delta_b_tot and chi of every bootstrap replicate, each [R, C], the same sequences for every
    condition.
    """

    rows: pd.DataFrame
    resampled: Mapping[str, Floats]


def activity(raster: Raster, nulls: Mapping[NullId, NullSample], weights: npt.NDArray[np.int64]) -> Activity:
    """Compute branching and chi of every condition, with the bootstrap ``weights`` [R, N] over the raster's sequences.

    nulls: the samples of both raster nulls, of the same conditions and windows. A delta is b minus the mean over null
    replicates; in its interval the null's per-sequence means are resampled with the weights that resample b.

    Raises:
        DataError: nulls are not of the raster's conditions and windows.
    """
    _check(raster, nulls)
    sums = BranchingSums.stack([branching_sums(counts) for counts in raster.counts])
    resampled = sums.weighted(weights)
    resampled_chi = chi(raster.counts.sum(axis=(2, 3), dtype=np.int64), weights)
    metrics = condition_metrics(raster)
    columns: Columns = {name: metrics[name].to_numpy() for name in (*_RATIOS, "chi", "n_sequences")}
    columns |= _intervals(resampled) | interval_columns("opt_chi", resampled_chi)
    columns |= _permutation_columns(sums, nulls[PERM], resampled, weights, raster)
    columns |= _shift_columns(sums, nulls[SHIFT], resampled, weights)
    columns |= {f"opt_{name}": metrics[name].to_numpy() for name in ("occupancy", "n_empty_sequences")}
    delta = resampled.b_tot - nulls[PERM].sequence_means.weighted(weights).b_tot
    rows = metrics[[COND_ID, *FIELDS]].assign(**columns)
    rows = rows.assign(**{REASON: _reasons(rows, sums)})
    return Activity(rows, {"b_tot": resampled.b_tot, "delta_b_tot": delta, "chi": resampled_chi})


def _reasons(rows: pd.DataFrame, sums: BranchingSums) -> list[str]:
    time_sites, depth_sites = sums.time_sites.sum(axis=-1), sums.depth_sites.sum(axis=-1)
    return [
        _why(row, has_next_token=bool(time_sites[place]), has_next_layer=bool(depth_sites[place]))
        for place, (_, row) in enumerate(rows.iterrows())
    ]


def _why(row: pd.Series[Any], *, has_next_token: bool, has_next_layer: bool) -> str:
    """Return why a condition lacks b_tot, its excess over a null, or an interval; empty where it lacks none."""
    if not row["opt_occupancy"] > 0:
        return "there is no event in any window"
    if np.isnan(row["b_tot"]):
        missing = "layer" if has_next_token else "layer or token" if not has_next_layer else "token"
        return f"no active site has a next {missing} in the lattice, so that b_tot is not defined"
    if np.isnan([row["delta_b_tot"], row["opt_delta_b_tot_shift"]]).any():
        return "under a null fewer than two replicates have an active site with a successor, so that nothing can be compared"
    if row[[f"{name}_ci_low" for name in _JUDGED]].isna().any():
        return "in over a tenth of the resamples no active site has a successor in the lattice, so that there is no interval"
    return ""


def interval_columns(name: str, values: Floats) -> Columns:
    """Return the two columns of a percentile interval over replicates, the first axis of values [R, C]."""
    interval = percentile_interval(values)
    return {f"{name}_ci_low": interval.low, f"{name}_ci_high": interval.high}


def _check(raster: Raster, nulls: Mapping[NullId, NullSample]) -> None:
    for null_id in (PERM, SHIFT):
        if null_id not in nulls:
            raise DataError(f"summary: no sample of {null_id}")
        if nulls[null_id].sequence_means.shape != raster.counts.shape[:2]:
            raise DataError(f"summary: the sample of {null_id} is not of this raster's conditions and windows")


def _intervals(resampled: Branching) -> Columns:
    columns: Columns = {}
    for name in _RATIOS:
        columns |= interval_columns(f"opt_{name}", getattr(resampled, name))
    return columns


def _permutation_columns(
    sums: BranchingSums, null: NullSample, resampled: Branching, weights: npt.NDArray[np.int64], raster: Raster
) -> Columns:
    real, resampled_null = sums.pooled(), null.sequence_means.weighted(weights)
    columns: Columns = {}
    for name in _RATIOS:
        tested = _compare_all(getattr(real, name), getattr(null.pooled, name))
        columns[f"{name}_perm"], columns[f"delta_{name}"] = tested["null_mean"], tested["delta"]
        difference = getattr(resampled, name) - getattr(resampled_null, name)
        columns |= interval_columns(f"opt_delta_{name}", difference) | {f"opt_{name}_perm_sd": tested["null_sd"]}
    expected = BranchingSums.stack([expected_under_permutation(counts) for counts in raster.counts])
    # The last of the three ratios is b_tot, the one that is judged.
    return columns | {
        "opt_delta_b_tot_z": tested["z"],
        "opt_delta_b_tot_p": tested["p_one_sided"],
        "opt_b_tot_perm_expected": expected.pooled().b_tot,
    }


def _shift_columns(
    sums: BranchingSums, null: NullSample, resampled: Branching, weights: npt.NDArray[np.int64]
) -> Columns:
    """The shift keeps b_time but for the seam, so this delta is one of depth, and only b_tot's is shown."""
    tested = _compare_all(sums.pooled().b_tot, null.pooled.b_tot)
    difference = resampled.b_tot - null.sequence_means.weighted(weights).b_tot
    return {
        "opt_b_tot_shift": tested["null_mean"],
        "opt_delta_b_tot_shift": tested["delta"],
        **interval_columns("opt_delta_b_tot_shift", difference),
        "opt_delta_b_tot_shift_z": tested["z"],
        "opt_delta_b_tot_shift_p": tested["p_one_sided"],
    }


def _compare_all(values: Floats, null_values: Floats) -> dict[str, Floats]:
    """Compare values [C] with null values [C, R]; each number of the comparison as an array [C]."""
    compared = [compare(float(value), null) for value, null in zip(values, null_values, strict=True)]
    names = ("delta", "null_mean", "null_sd", "z", "p_one_sided")
    return {name: np.array([getattr(one, name) for one in compared]) for name in names}
