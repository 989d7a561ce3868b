"""The statistics of table T01: one row a condition, each number beside its null and its bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import Adjacency, NullId
from critnb.criticality.avalanches import Avalanches, find_avalanches
from critnb.criticality.bootstrap import multinomial_weights, percentile_interval
from critnb.criticality.branching import (
    Branching,
    BranchingSums,
    branching_sums,
    diagonal_branching,
    expected_under_permutation,
)
from critnb.criticality.metrics import condition_metrics
from critnb.criticality.null_sample import NullSample
from critnb.criticality.nulltest import compare
from critnb.criticality.susceptibility import chi
from critnb.errors import DataError
from critnb.lattice.conditions import COND_ID, FIELDS
from critnb.lattice.raster import Raster

Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[np.generic]]

_PERM = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
_SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
_RATIOS = ("b_time", "b_depth", "b_tot")


@dataclass(frozen=True, eq=False)
class Summary:
    """``rows``: one a condition, T01's statistics under T01's names; ``avalanches``: rows of avalanches.parquet.

    delta_replicates [R, C]: delta_b_tot of every bootstrap replicate, the same sequences for every condition.
    """

    rows: pd.DataFrame
    avalanches: pd.DataFrame
    delta_replicates: Floats


def summarise(
    raster: Raster,
    nulls: Mapping[NullId, NullSample],
    *,
    permuted: Raster,
    adjacency: Adjacency,
    replicates: int,
    seed: int,
) -> Summary:
    """Compute the statistics of T01 for every condition of a raster.

    nulls: the samples of both raster nulls, of the same conditions and windows; permuted: one replicate of the
    permutation null, for the avalanche means of the same number of events put down at random; replicates and seed:
    the sequence bootstrap. A delta is b minus the mean over null replicates; in its interval the null's per-sequence
    means are resampled with the weights that resample b. Columns of what T01 does not require start with ``opt_``;
    opt_b_tot_adj8n is b_tot plus ``diagonal_branching``.

    Raises:
        DataError: nulls or permuted are not of the raster's conditions and windows; too many avalanches in a sequence.
    """
    _check(raster, nulls, permuted)
    sums = BranchingSums.stack([branching_sums(counts) for counts in raster.counts])
    weights = multinomial_weights(len(raster.seq_id), replicates, seed)
    resampled = sums.weighted(weights)
    metrics = condition_metrics(raster)
    columns: Columns = {name: metrics[name].to_numpy() for name in (*_RATIOS, "chi", "n_sequences")}
    columns |= _intervals(resampled) | _chi_interval(raster, weights) | _adjacency_8n(raster, metrics)
    columns |= _permutation_columns(sums, nulls[_PERM], resampled, weights, raster)
    columns |= _shift_columns(sums, nulls[_SHIFT], resampled, weights)
    columns |= {f"opt_{name}": metrics[name].to_numpy() for name in ("occupancy", "n_empty_sequences")}
    found = [find_avalanches(counts, raster.seq_id, adjacency) for counts in raster.counts]
    columns |= _avalanche_columns(found) | _permuted_avalanche_columns(permuted, adjacency)
    frames = [one.to_frame(cond_id) for cond_id, one in enumerate(found)]
    delta = resampled.b_tot - nulls[_PERM].sequence_means.weighted(weights).b_tot
    return Summary(metrics[[COND_ID, *FIELDS]].assign(**columns), pd.concat(frames, ignore_index=True), delta)


def _check(raster: Raster, nulls: Mapping[NullId, NullSample], permuted: Raster) -> None:
    for null_id in (_PERM, _SHIFT):
        if null_id not in nulls:
            raise DataError(f"summary: no sample of {null_id}")
        if nulls[null_id].sequence_means.shape != raster.counts.shape[:2]:
            raise DataError(f"summary: the sample of {null_id} is not of this raster's conditions and windows")
    if list(permuted.conditions) != [condition.with_null(_PERM) for condition in raster.conditions]:
        raise DataError(f"summary: the permuted raster must hold {_PERM} of the raster's conditions in their order")


def _intervals(resampled: Branching) -> Columns:
    columns: Columns = {}
    for name in _RATIOS:
        columns |= _interval(f"opt_{name}", getattr(resampled, name))
    return columns


def _chi_interval(raster: Raster, weights: npt.NDArray[np.int64]) -> Columns:
    events = raster.counts.sum(axis=(2, 3), dtype=np.int64)
    return _interval("opt_chi", chi(events, weights))


def _adjacency_8n(raster: Raster, metrics: pd.DataFrame) -> Columns:
    diagonal = np.array([diagonal_branching(counts) for counts in raster.counts])
    return {"opt_b_tot_adj8n": metrics["b_tot"].to_numpy() + diagonal}


def _permutation_columns(
    sums: BranchingSums, null: NullSample, resampled: Branching, weights: npt.NDArray[np.int64], raster: Raster
) -> Columns:
    real, resampled_null = sums.pooled(), null.sequence_means.weighted(weights)
    columns: Columns = {}
    for name in _RATIOS:
        tested = _compare_all(getattr(real, name), getattr(null.pooled, name))
        columns[f"{name}_perm"], columns[f"delta_{name}"] = tested["null_mean"], tested["delta"]
        difference = getattr(resampled, name) - getattr(resampled_null, name)
        columns |= _interval(f"opt_delta_{name}", difference) | {f"opt_{name}_perm_sd": tested["null_sd"]}
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
        **_interval("opt_delta_b_tot_shift", difference),
        "opt_delta_b_tot_shift_z": tested["z"],
        "opt_delta_b_tot_shift_p": tested["p_one_sided"],
    }


def _compare_all(values: Floats, null_values: Floats) -> dict[str, Floats]:
    """Compare values [C] with null values [C, R]; each number of the comparison as an array [C]."""
    compared = [compare(float(value), null) for value, null in zip(values, null_values, strict=True)]
    names = ("delta", "null_mean", "null_sd", "z", "p_one_sided")
    return {name: np.array([getattr(one, name) for one in compared]) for name in names}


def _interval(name: str, values: Floats) -> Columns:
    interval = percentile_interval(values)
    return {f"{name}_ci_low": interval.low, f"{name}_ci_high": interval.high}


def _avalanche_columns(found: list[Avalanches]) -> Columns:
    return {
        "n_avalanches": np.array([len(one) for one in found], dtype=np.int64),
        "avalanche_size_mean": np.array([_mean(one.size) for one in found]),
        "avalanche_size_median": np.array([np.median(one.size) if len(one) else np.nan for one in found]),
        "avalanche_span_tokens_mean": np.array([_mean(one.span_tokens) for one in found]),
        "avalanche_span_layers_mean": np.array([_mean(one.span_layers) for one in found]),
    }


def _permuted_avalanche_columns(permuted: Raster, adjacency: Adjacency) -> Columns:
    columns = _avalanche_columns([find_avalanches(counts, permuted.seq_id, adjacency) for counts in permuted.counts])
    return {f"opt_{name}_perm": columns[name] for name in ("n_avalanches", "avalanche_size_mean")}


def _mean(values: npt.NDArray[np.integer]) -> float:
    return float(values.mean()) if len(values) else float("nan")
