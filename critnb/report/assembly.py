"""Results tables from statistics: with provenance, gain and achieved rates, checked against the schema."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from critnb.canon import CANON, Intervention, NullId, SpikeDef
from critnb.errors import DataError
from critnb.report.provenance import Provenance
from critnb.report.schema import T01, T06, TableSchema, conform

_CONDITION = ["intervention_id", "spike_def_id", "target_rate", "gain"]
_NOT_IN_T01 = ["cond_id", "intervention_id", "null_id"]
_SPIKES = ["model_role", "dataset_role", "spike_def_id", "target_rate"]


def t01(
    *,
    summary: pd.DataFrame,
    tau: pd.DataFrame,
    gstar: Mapping[tuple[SpikeDef, float], float],
    tau0: float,
    provenance: Provenance,
) -> pd.DataFrame:
    """Return T01, complete and conformed, one row per condition of the gain grid.

    summary: a row per condition with ``Condition``'s fields and the statistics by their T01 names; rows of other
    interventions and nulls are left out. tau: the rows of tau_rate_matched.parquet with ``target_layer_rate``.
    gstar: g* by (spike definition, target rate). Raises DataError where thresholds or g* of a condition are missing.
    """
    grid = summary[(summary["intervention_id"] == Intervention.MLP_GLOBAL) & (summary["null_id"] == NullId.NULL_NONE)]
    merged = grid.merge(achieved_rates(tau), on=_CONDITION, how="left", validate="many_to_one", indicator="_rates")
    unmatched = merged.loc[merged["_rates"] != "both", _CONDITION]
    if len(unmatched):
        raise DataError(f"{T01.name}: no thresholds for {unmatched.iloc[0].to_dict()}; the tau table is of another run")
    frame = merged.drop(columns=[*_NOT_IN_T01, "_rates"], errors="ignore").assign(
        tau0_baseline=tau0,
        rate_match_tol_abs=CANON.CONST.RATE_MATCH_TOL_ABS,
        opt_is_g1=merged["gain"] == CANON.CONST.GAIN_BASELINE,
        opt_is_gstar=_marks_gstar(merged, gstar),
    )
    return finished(frame.rename(columns={"gain": "g"}), T01, provenance)


def t06(*, ablations: pd.DataFrame, tau: pd.DataFrame, provenance: Provenance) -> pd.DataFrame:
    """Return T06 from the rows of ``ablation_rows`` and the threshold table; raises DataError where they do not fit."""
    rates = achieved_rates(tau)[[*_CONDITION, "achieved_rate_max_abs_err"]].rename(columns={"gain": "g"})
    keys = [name for name in rates.columns if name in ablations.columns]
    merged = ablations.merge(rates, on=keys, how="left", validate="many_to_one")
    if merged["achieved_rate_max_abs_err"].isna().any():
        raise DataError(f"{T06.name}: a condition has no thresholds; the tau table is of another run")
    return finished(merged, T06, provenance)


def per_condition(rows: pd.DataFrame, grid: pd.DataFrame, schema: TableSchema, provenance: Provenance) -> pd.DataFrame:
    """Return a table whose rows belong to conditions: ``rows`` with a cond_id, joined with ``grid``'s fields of T01."""
    identity = grid[["cond_id", *_SPIKES, "gain"]].rename(columns={"gain": "g"})
    return finished(
        identity.merge(rows, on="cond_id", validate="one_to_many").drop(columns="cond_id"), schema, provenance
    )


def finished(frame: pd.DataFrame, schema: TableSchema, provenance: Provenance) -> pd.DataFrame:
    """Return rows sorted by their key, with their provenance, conformed."""
    return conform(frame.assign(**provenance.as_dict()).sort_values([*schema.key], kind="stable"), schema)


def achieved_rates(tau: pd.DataFrame) -> pd.DataFrame:
    """Return per (intervention_id, spike_def_id, target_rate, gain) the achieved rates over layers, by their T01 names.

    achieved_rate_mean and _max_abs_err are on A_raster, where nothing was fitted; the opt_ ones on A_cal.
    """
    layers = tau[_CONDITION].assign(
        achieved_rate_mean=tau["achieved_rate_raster"],
        achieved_rate_max_abs_err=(tau["achieved_rate_raster"] - tau["target_layer_rate"]).abs(),
        opt_achieved_rate_max_rel_err=(tau["events"] - tau["target_events"]).abs() / tau["target_events"],
        opt_achieved_rate_cal_mean=tau["achieved_rate"],
    )
    over_layers = {name: "max" if "_max_" in name else "mean" for name in layers.columns.difference(_CONDITION)}
    return layers.groupby(_CONDITION, as_index=False, observed=True).agg(over_layers)


def _marks_gstar(conditions: pd.DataFrame, gstar: Mapping[tuple[SpikeDef, float], float]) -> list[bool]:
    keys = zip(conditions["spike_def_id"], conditions["target_rate"], conditions["gain"], strict=True)
    try:
        return [gain == gstar[SpikeDef(spike_def), rate] for spike_def, rate, gain in keys]
    except KeyError as missing:
        found = CANON.OUTPUT.GSTAR_JSON_BASENAME
        raise DataError(f"{T01.name}: no g* for {missing.args[0]}; {found} is of another run") from None
