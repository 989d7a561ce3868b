"""The statistics of table T01: one row a condition, each number beside its null and its bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import Adjacency, NullId
from critnb.criticality.activity import PERM, Columns, Floats, activity
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.branching import diagonal_branching
from critnb.criticality.null_sample import NullSample
from critnb.criticality.sizes.avalanches import Avalanches, find_avalanches
from critnb.errors import DataError
from critnb.lattice.raster import Raster


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
    the sequence bootstrap. Columns of what T01 does not require start with ``opt_``; those of branching and chi are
    ``activity``'s, and opt_b_tot_adj8n is b_tot plus ``diagonal_branching``.

    Raises:
        DataError: nulls or permuted are not of the raster's conditions and windows; too many avalanches in a sequence.
    """
    _check(raster, permuted)
    active = activity(raster, nulls, multinomial_weights(len(raster.seq_id), replicates, seed))
    columns: Columns = {"opt_b_tot_adj8n": active.rows["b_tot"].to_numpy() + _diagonal(raster)}
    found = [find_avalanches(counts, raster.seq_id, adjacency) for counts in raster.counts]
    columns |= _avalanche_columns(found) | _permuted_avalanche_columns(permuted, adjacency)
    frames = [one.to_frame(cond_id) for cond_id, one in enumerate(found)]
    return Summary(active.rows.assign(**columns), pd.concat(frames, ignore_index=True), active.resampled["delta_b_tot"])


def _check(raster: Raster, permuted: Raster) -> None:
    if list(permuted.conditions) != [condition.with_null(PERM) for condition in raster.conditions]:
        raise DataError(f"summary: the permuted raster must hold {PERM} of the raster's conditions in their order")


def _diagonal(raster: Raster) -> Floats:
    return np.array([diagonal_branching(counts) for counts in raster.counts])


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
