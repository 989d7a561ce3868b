"""The long table of a sweep: a row per entry, spike definition, rate, gain and null, from T01 of S05 and T10 of S04K."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, GCondition, NullId, Stage
from critnb.lattice import RASTER_NULLS
from critnb.report.schema import T01, T10
from critnb.report.schema import columns as col
from critnb.report.schema.model import TableSchema
from critnb.report.schema.nulls import null_columns
from critnb.report.tables import load_table
from critnb.runs import Run, RunStore

_OUTCOME = ("sigma_depth", "sigma_depth_ci_low", "sigma_depth_ci_high", "sigma_depth_p")
_AT = ("spike_def_id", "target_rate", "g")
_PER_EVENT = "events/event"

SWEEP_TABLE = TableSchema(
    name="sweep",
    rows="per entry, spike definition, target rate, gain of the grid under MLP_GLOBAL and raster null; statistics on A_raster",
    key=("entry", "model_role", "spike_def_id", "target_rate", "g", "null_id"),
    complete=("null_id",),
    columns=(
        col.count("entry", "-", "place of the entry in the sweep, from 1"),
        col.text("name", "name of the entry"),
        col.text("overrides", "what the entry sets, as JSON: dotted key of the params to value"),
        col.text("model_id", "model as the run's record names it"),
        col.text("revision", "revision of a model of the hub, else empty"),
        *col.SPIKES,
        col.GAIN,
        col.flag("is_g1", "the gain is the baseline"),
        col.flag("is_gstar", "the gain is g* of this spike definition and target rate"),
        col.number("gstar", "-", "g* of this spike definition and target rate", col.NOT_NEGATIVE),
        col.number("b_tot", col.PER_SITE, "b_time + b_depth", col.TOTAL),
        col.number("b_tot_ci_low", col.PER_SITE, "lower end of the 95 % sequence-bootstrap interval of b_tot", col.TOTAL),
        col.number("b_tot_ci_high", col.PER_SITE, "upper end of the 95 % sequence-bootstrap interval of b_tot", col.TOTAL),
        col.text("null_id", "raster null that delta_b_tot is the excess over", NullId),
        *col.with_interval("delta_b_tot", col.PER_SITE, "b_tot minus its mean under the null"),
        col.number("delta_b_tot_p", "-", "one-sided p under the null", col.SHARE),
        *col.with_interval(
            "sigma_depth", _PER_EVENT, "branching by intervention at g1 and g*, NaN at other gains: it is not measured there"
        ),
        col.number("sigma_depth_p", "-", "one-sided p that sigma_depth is above zero", col.SHARE),
        col.text("reason_branching", "why b_tot or an excess is not available, else empty"),
        col.text("reason_sigma_depth", "why sigma_depth is not available, else empty"),
        col.text("run_id", f"run of {Stage.S05}"),
        col.text("knock_out_run_id", f"run of {Stage.S04K}"),
        col.text("code_version", "version of the pack that made the run"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Swept:
    """A finished entry of a sweep, for one role: its number from one, its name, what it sets, and its run of S05."""

    number: int
    name: str
    overrides: Mapping[str, Any]
    run: Run


def sweep_table(swept: Sequence[Swept], store: RunStore) -> pd.DataFrame:
    """Return the table of ``SWEEP_TABLE`` over finished entries; raises as ``load_table``."""
    frames = [frame for each in swept for frame in _of_entry(each, store)]
    if not frames:
        return pd.DataFrame({column.name: pd.Series(dtype=column.dtype.value) for column in SWEEP_TABLE.columns})
    return pd.concat(frames, ignore_index=True)[[column.name for column in SWEEP_TABLE.columns]]


def _of_entry(swept: Swept, store: RunStore) -> Iterator[pd.DataFrame]:
    """Yield the rows of one entry, a frame per null."""
    run = swept.run
    knock_outs = store.open(run.inputs.upstream[Stage.S04K])
    t01 = load_table(run, T01.name)
    rows = t01.merge(_knock_outs(load_table(knock_outs, T10.name)), on=list(_AT), how="left", validate="one_to_one")
    chosen = t01[t01["opt_is_gstar"]].set_index(["spike_def_id", "target_rate"])["g"]
    known: dict[str, Any] = {
        "entry": swept.number,
        "name": swept.name,
        "overrides": json.dumps(dict(swept.overrides), ensure_ascii=False),
        "revision": str((knock_outs.record.model or {}).get("revision") or ""),
        "is_g1": rows["g"] == CANON.CONST.GAIN_BASELINE,
        "is_gstar": rows["opt_is_gstar"],
        "gstar": [float(chosen[key]) for key in zip(rows["spike_def_id"], rows["target_rate"], strict=True)],
        "b_tot_ci_low": rows["opt_b_tot_ci_low"],
        "b_tot_ci_high": rows["opt_b_tot_ci_high"],
        "reason_branching": rows["opt_reason_branching"],
        "reason_sigma_depth": rows["reason"].fillna(""),
        "knock_out_run_id": knock_outs.run_id,
    }  # fmt: skip
    for null_id in RASTER_NULLS:
        yield rows.assign(**known, **_beside(rows, null_id))


def _beside(rows: pd.DataFrame, null_id: NullId) -> dict[str, Any]:
    names = null_columns(null_id)
    columns = {
        "delta_b_tot": names.delta,
        "delta_b_tot_ci_low": f"{names.ends}_ci_low",
        "delta_b_tot_ci_high": f"{names.ends}_ci_high",
        "delta_b_tot_p": names.p,
    }
    return {"null_id": str(null_id), **{ours: rows.get(theirs, np.nan) for ours, theirs in columns.items()}}


def _knock_outs(t10: pd.DataFrame) -> pd.DataFrame:
    """Return what T10 says of g1 and g*, once where both are one gain."""
    at = t10[t10["g_condition"].isin([str(each) for each in GCondition])]
    return at.drop_duplicates(list(_AT))[[*_AT, *_OUTCOME, "reason"]]
