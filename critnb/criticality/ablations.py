"""The interventions beside the baseline: the rows of T06, paired on the same windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, GCondition, Intervention, SpikeDef
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.summary import Summary
from critnb.lattice.conditions import COND_ID

GAIN_TARGET = {
    Intervention.MLP_GLOBAL: "what every MLP adds",
    Intervention.ATTN_GLOBAL: "what every attention adds",
    Intervention.MLP_BAND_EARLY: "what the MLPs of the first third add",
    Intervention.MLP_BAND_MID: "what the MLPs of the middle third add",
    Intervention.MLP_BAND_LATE: "what the MLPs of the last third add",
}
_TAKEN = (
    *("model_role", "dataset_role", "spike_def_id", "target_rate", "b_tot", "delta_b_tot", "chi", "n_sequences"),
    *("opt_occupancy", "opt_b_tot_ci_low", "opt_b_tot_ci_high", "opt_delta_b_tot_ci_low", "opt_delta_b_tot_ci_high"),
    *("opt_delta_b_tot_p", "opt_chi_ci_low", "opt_chi_ci_high", "opt_delta_b_tot_shift"),
    *("opt_delta_b_tot_shift_ci_low", "opt_delta_b_tot_shift_ci_high", "opt_reason_branching"),
)


def ablation_rows(summary: Summary, gstar: Mapping[tuple[SpikeDef, float], float]) -> pd.DataFrame:
    """Return g1 under MLP_GLOBAL and g* under every intervention of the summary, per spike definition and rate."""
    rows = summary.rows
    chosen = np.array([gstar[SpikeDef(d), r] for d, r in zip(rows["spike_def_id"], rows["target_rate"], strict=True)])
    is_global = (rows["intervention_id"] == str(Intervention.MLP_GLOBAL)).to_numpy()
    is_g1 = is_global & (rows["gain"] == CANON.CONST.GAIN_BASELINE).to_numpy()
    is_gstar = rows["gain"].to_numpy() == chosen
    baseline = rows[is_g1].set_index(["spike_def_id", "target_rate"])[COND_ID]
    listed = [(GCondition.g1, cond_id) for cond_id in np.flatnonzero(is_g1)]
    listed += [(GCondition.gstar, cond_id) for cond_id in np.flatnonzero(is_gstar)]
    return pd.DataFrame(_row(summary, rows.iloc[cond_id], g_condition, baseline) for g_condition, cond_id in listed)


def _row(summary: Summary, row: pd.Series[Any], g_condition: GCondition, baseline: pd.Series[Any]) -> dict[str, Any]:
    first = int(baseline[row["spike_def_id"], row["target_rate"]])
    replicates = summary.delta_replicates
    interval = percentile_interval(replicates[:, int(row[COND_ID])] - replicates[:, first])
    return {
        **{name: row[name] for name in _TAKEN},
        "g_condition": str(g_condition),
        "g": row["gain"],
        "intervention_id": row["intervention_id"],
        "gain_target": GAIN_TARGET[Intervention(row["intervention_id"])],
        "opt_delta_b_tot_vs_g1": row["delta_b_tot"] - summary.rows["delta_b_tot"].iloc[first],
        "opt_delta_b_tot_vs_g1_ci_low": float(interval.low),
        "opt_delta_b_tot_vs_g1_ci_high": float(interval.high),
    }
