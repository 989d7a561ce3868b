"""T02 and gates from what S06B stores of its forward passes: rasters and likelihoods. No model, no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, GCondition, SliceRole, Stage
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.carried import LIKELIHOODS, MEASURES, Carried, Gstar, carried_over
from critnb.gates import Gate
from critnb.lattice import PRIMARY, Raster
from critnb.lattice.conditions import COND_ID, FIELDS
from critnb.pipeline.artifacts import NullSamples, load_raster, save_raster
from critnb.pipeline.session import StageSession
from critnb.report.assembly import finished
from critnb.report.provenance import Provenance
from critnb.report.schema import T01, T02
from critnb.report.schema.nulls import null_columns
from critnb.report.tables import load_table, write_table
from critnb.runs import Run
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.shared import token_shares
from critnb.stages.shared.activity_columns import Columns, activity_frame, interval_columns
from critnb.stages.shared.closed_form import closed_form_gate
from critnb.stages.shared.conditions import EVENT_KEYS, events_gate, layer_rates, mark
from critnb.stages.shared.null_replicates import draw_replicates

_BASELINE = CANON.CONST.GAIN_BASELINE
REFERENCE = "reference"
PAIRED = "paired"
IDENTICAL = "zero by definition: g* = 1 is g1"
Likelihoods = Mapping[float, NDArray[np.float64]]


def tabulate(
    stage: StageSession, raster: Raster, samples: NullSamples, nll: Likelihoods, *,
    gstar: Gstar, thresholds: pd.DataFrame, provenance: Provenance,
) -> pd.DataFrame:  # fmt: skip
    """Write the metrics of every condition on B and table T02, and return the table; ``nll``: of each window [N] by gain."""
    analysis = stage.params.analysis
    with stage.step("statistics"):
        weights = multinomial_weights(len(raster.seq_id), analysis.bootstrap_reps, analysis.bootstrap_seed)
        carried = carried_over(raster, samples, nll, weights)
    rates, condition_rows = carried_rates(thresholds), carried_frame(carried)
    metrics = condition_rows.merge(rates, on=EVENT_KEYS, how="left", validate="1:1")
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, mark(metrics, gstar))
    of_rates = rates.drop(columns="intervention_id").rename(columns={"gain": "g"})
    rows = paired_rows(carried, condition_rows, gstar).merge(
        of_rates, on=["spike_def_id", "target_rate", "g"], validate="many_to_one"
    )
    table = finished(rows, T02, provenance)
    write_table(stage.run, CANON.TABLE.T02_GENERALIZATION, table)
    return table


def carried_frame(carried: Carried) -> pd.DataFrame:
    """Return one row per condition under T02's names, where T01's required columns that T02 lacks start with ``opt_``."""
    rows = activity_frame(carried.activity)
    kept = {*T02.required, *FIELDS, COND_ID}
    rows = rows.rename(columns={name: f"opt_{name}" for name in rows if name not in kept and name in T01.required})
    columns: Columns = dict(carried.likelihoods)
    for name in LIKELIHOODS:
        columns |= interval_columns(f"opt_{name}", carried.intervals[name])
    return rows.assign(**columns)


def paired_rows(carried: Carried, rows: pd.DataFrame, gstar: Gstar) -> pd.DataFrame:
    """Return T02's rows from those of ``carried_frame``: g1 and g* of every spike definition and rate, g* beside g1.

    A difference and its interval come from the same windows and the same resamples of both. Where g* is 1 the two rows are
    one condition: the difference is zero, its interval too, and ``opt_vs_g1`` says why.
    """
    place = rows.set_index(["spike_def_id", "target_rate", "gain"])[COND_ID]
    shown = rows.drop(columns=[COND_ID, "intervention_id", "null_id"]).rename(columns={"gain": "g"}).to_dict("records")
    paired: list[dict[Any, Any]] = []
    for (spike_def, rate), gain in gstar.items():
        first, second = int(place[spike_def, rate, _BASELINE]), int(place[spike_def, rate, gain])
        for cond_id, g_condition in ((first, GCondition.g1), (second, GCondition.gstar)):
            is_reference = g_condition is GCondition.g1
            said = REFERENCE if is_reference else IDENTICAL if first == second else PAIRED
            row = {**shown[cond_id], "g_condition": str(g_condition), "opt_vs_g1": said}
            for name in MEASURES:
                found = (math.nan,) * 3 if is_reference else carried.difference(name, first=first, second=second)
                stem = f"opt_{name}_vs_g1"
                row |= dict(zip((stem, f"{stem}_ci_low", f"{stem}_ci_high"), found, strict=True))
            paired.append(row)
    return pd.DataFrame(paired)


def retabulate(stage: StageSession, run: Run) -> None:
    """Write thresholds, null replicates, metrics and T02 again from rasters and likelihoods of a finished run of S06B."""
    model = run.record.model or {}
    raster, nll = carried_outputs(run)
    save_raster(stage, raster)
    thresholds = carried_thresholds(stage, raster, n_units=int(model["d_ff"]))
    stage.save_parquet(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME, thresholds)
    samples = draw_replicates(stage, raster, [stage.params.nulls.replicates] * len(raster.conditions))
    tabulate(
        stage, raster, samples, nll,
        gstar=load_gstar(stage.upstream(Stage.S02B)), thresholds=thresholds, provenance=Provenance.of(stage.run, model),
    )  # fmt: skip


def carried_outputs(run: Run) -> tuple[Raster, dict[float, NDArray[np.float64]]]:
    """Return what the forward passes of a finished run of S06B gave: its raster, and each window's NLL [N] by gain."""
    windows = run.parquet(run.result(CANON.OUTPUT.WINDOW_LIKELIHOODS_PARQUET_BASENAME))
    nll = {float(gain): windows["nll_mean"][windows["gain"] == gain].to_numpy() for gain in windows["gain"].unique()}
    return load_raster(run), nll


def carried_thresholds(stage: StageSession, raster: Raster, *, n_units: int) -> pd.DataFrame:
    """Return the thresholds of A with the events and rates that they have in the raster on B."""
    s02 = stage.upstream(Stage.S02)
    fitted = s02.parquet(s02.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    return fitted.merge(layer_rates(raster, n_units, suffix="_b"), on=[*EVENT_KEYS, "layer"], validate="1:1")


def carried_rates(thresholds: pd.DataFrame) -> pd.DataFrame:
    """Return per condition the achieved rates over layers on B_eval, and on A_cal, by their T02 names."""
    layers = thresholds[EVENT_KEYS].assign(
        opt_achieved_rate_mean=thresholds["achieved_rate_b"],
        opt_achieved_rate_max_abs_err=(thresholds["achieved_rate_b"] - thresholds["target_layer_rate"]).abs(),
        opt_achieved_rate_cal_mean=thresholds["achieved_rate"],
    )
    over_layers = {name: "max" if "_max_" in name else "mean" for name in layers.columns.difference(EVENT_KEYS)}
    return layers.groupby(EVENT_KEYS, as_index=False).agg(over_layers)


def save_vocabulary(stage: StageSession, size: int) -> None:
    """Write over how many tokens the model spreads its predictions."""
    stage.save_json(CANON.OUTPUT.VOCABULARY_JSON_BASENAME, {"size": size})


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S06B: events everywhere, the Monte Carlo null against its closed form, and that the model reads B."""
    own = stage.own
    table = load_table(own, CANON.TABLE.T02_GENERALIZATION)
    baseline = float(table.loc[table["g_condition"] == str(GCondition.g1), "nll_mean"].iloc[0])
    chance = math.log(own.json(own.result(CANON.OUTPUT.VOCABULARY_JSON_BASENAME))["size"])
    return [
        events_gate(load_raster(own), SliceRole.B_eval),
        closed_form_gate(table, f"opt_{null_columns(PRIMARY).mean}", stage.params.nulls.replicates),
        Gate.judge(
            "text that the model can read",
            passed=baseline < chance,
            value=f"{baseline:.3f} nats/token at g1",
            condition=f"below the {chance:.3f} of a model that finds all tokens equally likely",
        ),
        *token_shares.gates(token_shares.load(own)),
    ]
