"""Results tables: assemble them from artifacts, write them as CSV and Parquet under their schema, load them checked."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from critnb.canon import CANON, Intervention, NullId, SpikeDef
from critnb.errors import DataError, IntegrityError
from critnb.report.provenance import Provenance
from critnb.report.schema import SCHEMAS, T01, TableSchema, conform
from critnb.runs import Artifact, PartialRun, Run

_CONDITION = ["spike_def_id", "target_rate", "gain"]
_NOT_IN_T01 = ["cond_id", "intervention_id", "null_id"]


def write_table(partial_run: PartialRun, table: str, frame: pd.DataFrame) -> tuple[Artifact, Artifact]:
    """Write one of CANON.TABLE's tables as CSV and as Parquet, same rows and dtypes; raises DataError as ``conform``."""
    schema = _schema(table)
    conformed = conform(frame, schema)
    csv = partial_run.write_csv(table_path(schema, ".csv"), conformed)
    return csv, partial_run.write_parquet(table_path(schema, ".parquet"), conformed)


def load_table(run: Run, table: str) -> pd.DataFrame:
    """Return one of CANON.TABLE's tables of a complete run, its bytes checked against the record.

    Raises:
        DataError: the content breaks the schema.
        IntegrityError: columns stand in another order or have other dtypes than the schema's.
    """
    schema = _schema(table)
    frame = run.parquet(table_path(schema, ".parquet"))
    conformed = conform(frame, schema)
    if not conformed.dtypes.equals(frame.dtypes):
        raise IntegrityError(f"{table} of {run.run_id}: column order or dtypes are not the schema's; rerun the stage")
    return conformed


def table_path(schema: TableSchema, suffix: str) -> str:
    """Return where in a run a table's file of that suffix lies."""
    folder = CANON.RUN_SUBDIR.TABLES_APPENDIX if schema.appendix else CANON.RUN_SUBDIR.TABLES
    return f"{folder}/{schema.name}{suffix}"


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
        **provenance.as_dict(),
    )
    return conform(frame.rename(columns={"gain": "g"}).sort_values([*T01.key]), T01)


def achieved_rates(tau: pd.DataFrame) -> pd.DataFrame:
    """Return per (spike_def_id, target_rate, gain) of MLP_GLOBAL the achieved rates over layers, by their T01 names.

    achieved_rate_mean and _max_abs_err are on A_raster, where nothing was fitted; the opt_ ones on A_cal.
    """
    rows = tau[tau["intervention_id"] == Intervention.MLP_GLOBAL]
    layers = rows[_CONDITION].assign(
        achieved_rate_mean=rows["achieved_rate_raster"],
        achieved_rate_max_abs_err=(rows["achieved_rate_raster"] - rows["target_layer_rate"]).abs(),
        opt_achieved_rate_max_rel_err=(rows["events"] - rows["target_events"]).abs() / rows["target_events"],
        opt_achieved_rate_cal_mean=rows["achieved_rate"],
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


def _schema(table: str) -> TableSchema:
    if table not in SCHEMAS:
        raise KeyError(f"{table} is no table with a schema; known are {', '.join(SCHEMAS)}")
    return SCHEMAS[table]
