"""Branching and chi under the names that they have in metrics, T01 and T02, and the excess over each null as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import CANON, NullId
from critnb.criticality.activity import RATIOS, Activity, Excess
from critnb.criticality.bootstrap import Interval
from critnb.lattice import PRIMARY, SECONDARY, null_of
from critnb.lattice.conditions import COND_ID, FIELDS
from critnb.report.schema.columns import BRANCHING_REASON
from critnb.report.schema.nulls import EXPECTED, NullColumns, null_columns
from critnb.report.words import p_words, with_interval

Columns = dict[str, npt.NDArray[np.generic]]


def activity_frame(found: Activity) -> pd.DataFrame:
    """Return one row per condition: its fields, the branching ratios and chi with intervals, and what the nulls give."""
    metrics = found.metrics
    columns: Columns = {name: metrics[name].to_numpy() for name in (*RATIOS, "chi", "n_sequences")}
    columns["opt_chi_intensive"] = found.chi_intensive
    for name, interval in found.intervals.items():
        columns |= interval_columns(f"opt_{name}", interval)
    columns |= _primary(found)
    for null in SECONDARY:
        columns |= _secondary(null_columns(null.null_id), found.excess[null.null_id]["b_tot"])
    columns |= {f"opt_{name}": metrics[name].to_numpy() for name in ("occupancy", "n_empty_sequences")}
    reasons: dict[str, Any] = {BRANCHING_REASON.name: found.reasons}
    return beside(metrics[[COND_ID, *FIELDS]], {**columns, **reasons})


def beside(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame with many further columns, which pandas would otherwise put in one by one."""
    return pd.concat([frame, pd.DataFrame(dict(columns), index=frame.index)], axis=1)


def excess_shown(rows: pd.DataFrame) -> dict[str, Any]:
    """Return, of rows of T01 or T02, the excess of b_tot over each null in words, each with its p in a column after it."""
    heads = {PRIMARY: f"Δ {null_of(PRIMARY).name}"} | {null.null_id: f"Δ {null.short}" for null in SECONDARY}
    columns: dict[str, Any] = {}
    for place, (null_id, head) in enumerate(heads.items()):
        names = null_columns(null_id)
        columns[head] = with_interval(rows, names.delta)
        columns["p" + " " * place] = rows[names.p].map(p_words)
    return columns


def is_above(rows: pd.DataFrame, null_id: NullId) -> pd.Series[bool]:
    """Say of rows of T01 or T02 whether b_tot is above a null: interval above zero and p below SIGNIFICANCE_LEVEL."""
    names = null_columns(null_id)
    return (rows[f"{names.ends}_ci_low"] > 0) & (rows[names.p] < CANON.CONST.SIGNIFICANCE_LEVEL)


def interval_columns(stem: str, interval: Interval) -> Columns:
    """Return the two ends of an interval under their names."""
    return {f"{stem}_ci_low": interval.low, f"{stem}_ci_high": interval.high}


def _primary(found: Activity) -> Columns:
    columns: Columns = {}
    for ratio, excess in found.excess[PRIMARY].items():
        names = null_columns(PRIMARY, ratio)
        columns |= {names.mean: excess.null_mean, names.delta: excess.delta}
        columns |= interval_columns(names.ends, excess.interval) | {names.sd: excess.null_sd}
    names, judged = null_columns(PRIMARY), found.excess[PRIMARY]["b_tot"]
    return columns | {names.z: judged.z, names.p: judged.p_one_sided, EXPECTED: found.expected_b_tot}


def _secondary(names: NullColumns, excess: Excess) -> Columns:
    return {
        names.mean: excess.null_mean,
        names.delta: excess.delta,
        **interval_columns(names.ends, excess.interval),
        names.z: excess.z,
        names.p: excess.p_one_sided,
    }
