"""The tables of S05 from its statistics: metrics, T01, T04, T05, T06, T08 and T09."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import CANON, Adjacency, GCondition, Intervention, NullId, SpikeDef
from critnb.criticality.activity import Activity
from critnb.criticality.diagonals import Diagonal, Step
from critnb.criticality.overlap import Overlap
from critnb.criticality.shuffled_input import ShuffledInput
from critnb.criticality.sizes.analysis import SizeAnalysis
from critnb.criticality.summary import AvalancheSummary, Summary
from critnb.criticality.token_shuffles import AgainstShuffles
from critnb.criticality.verdicts import BRANCHING, BranchingByIntervention, Case, chi_peak, judged_frame
from critnb.lattice import RASTER_NULLS, Raster, why_not_drawn
from critnb.lattice.conditions import COND_ID
from critnb.report.assembly import finished, per_condition, t01, t06
from critnb.report.provenance import Provenance
from critnb.report.schema import T01, T04, T05, T06, T08, T09
from critnb.report.schema.columns import BRANCHING_REASON
from critnb.report.schema.nulls import TWIN, marginals_column, null_columns
from critnb.stages.s05_analysis.size_columns import (
    reasons,
    survival_columns,
    t01_columns,
    t04_columns,
    t05_columns,
    t09_rows,
)
from critnb.stages.shared.activity_columns import activity_frame, beside, interval_columns
from critnb.stages.shared.controls.columns import t08_columns

Gstar = Mapping[tuple[SpikeDef, float], float]
OVERLAP, APART = "opt_spike_def_overlap", "opt_spike_def_sites_apart"
_GAIN_TARGET = {
    Intervention.MLP_GLOBAL: "what every MLP adds",
    Intervention.ATTN_GLOBAL: "what every attention adds",
    Intervention.MLP_BAND_EARLY: "what the MLPs of the first third add",
    Intervention.MLP_BAND_MID: "what the MLPs of the middle third add",
    Intervention.MLP_BAND_LATE: "what the MLPs of the last third add",
}


@dataclass(frozen=True, eq=False)
class Statistics:
    """Everything that S05 computes of a raster: per condition, ``sizes`` by cond_id for those of the gain grid.

    marginals: by raster null, whether its replicate kept what it must keep, bool [C].
    """

    raster: Raster
    summary: Summary
    sizes: Mapping[int, SizeAnalysis]
    shuffled: ShuffledInput
    shuffles: AgainstShuffles
    overlap: Overlap
    marginals: Mapping[NullId, npt.NDArray[np.bool_]]
    adjacency: Adjacency

    def of_sizes(self, columns: Any) -> pd.DataFrame:
        """Return ``columns(analysis)``, one row per condition of the gain grid."""
        return pd.DataFrame({COND_ID: cond_id, **columns(found)} for cond_id, found in self.sizes.items())


def metrics(found: Statistics) -> pd.DataFrame:
    """Return metrics.parquet: one row per condition, its statistics by their T01 names, NaN where T01 has no such row."""
    exponents = found.of_sizes(lambda analysis: t01_columns(analysis, found.adjacency))
    rows = summary_frame(found.summary).merge(exponents, on=COND_ID, how="left", validate="one_to_one")
    columns = {
        "opt_occupancy_token_shuffle": found.shuffled.occupancy,
        "opt_b_tot_token_shuffle": found.shuffled.b_tot,
        "opt_delta_b_tot_token_shuffle": found.shuffled.excess,
        "opt_chi_token_shuffle": found.shuffled.chi,
        "opt_shuffles": found.shuffles.n_shuffles,
        "opt_delta_b_tot_shuffles": found.shuffles.excess,
        "opt_delta_b_tot_vs_shuffles": found.shuffles.difference,
        **interval_columns("opt_delta_b_tot_vs_shuffles", found.shuffles.interval),
        **{marginals_column(null_id): exact for null_id, exact in found.marginals.items()},
        **{OVERLAP: found.overlap.shared, APART: found.overlap.apart},
    }
    return beside(rows, columns)


def summary_frame(summary: Summary) -> pd.DataFrame:
    """Return one row per condition: branching and chi beside their nulls, and what its avalanches are like."""
    rows, permuted = activity_frame(summary.activity), _avalanches(summary.permuted)
    columns = {
        "opt_b_tot_adj8n": rows["b_tot"] + summary.diagonals[Diagonal.UP].ratio,
        **_diagonals(summary.diagonals),
        **_avalanches(summary.avalanches),
        **{f"opt_{name}{TWIN}": permuted[name] for name in ("n_avalanches", "avalanche_size_mean")},
    }
    return beside(rows, columns)


def _diagonals(found: Mapping[Diagonal, Step]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for diagonal, step in found.items():
        for stem, values, interval in (
            (f"opt_b_{diagonal.value}", step.ratio, step.interval),
            (f"opt_delta_b_{diagonal.value}", step.excess, step.excess_interval),
        ):
            columns |= {stem: values, **interval_columns(stem, interval)}
    return columns


def _avalanches(found: AvalancheSummary) -> dict[str, Any]:
    return {
        "n_avalanches": found.number,
        "avalanche_size_mean": found.size_mean,
        "avalanche_size_median": found.size_median,
        "avalanche_span_tokens_mean": found.span_tokens_mean,
        "avalanche_span_layers_mean": found.span_layers_mean,
    }


def tables(
    found: Statistics, rows: pd.DataFrame, weights: npt.NDArray[np.int64], *,
    tau: pd.DataFrame, tau0: float, gstar: Gstar, controls: pd.DataFrame, t10: pd.DataFrame, provenance: Provenance,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """Return the stage's tables by name.

    rows: ``metrics``; weights [R, N]: the sequence bootstrap; tau: tau_rate_matched.parquet; tau0: the threshold that defines
    the base rates; controls: control_rates.parquet; t10: that of S04K.
    """
    t09 = [{COND_ID: cond_id, **row} for cond_id, analysis in found.sizes.items() for row in t09_rows(analysis)]
    of_conditions = {
        T04: found.of_sizes(t04_columns),
        T05: found.of_sizes(lambda analysis: t05_columns(analysis, found.adjacency)),
        T09: pd.DataFrame(t09),
    }
    made = {
        T01.name: t01(summary=rows, tau=tau, gstar=gstar, tau0=tau0, provenance=provenance),
        T06.name: t06(ablations=ablation_rows(rows, found.summary.activity, gstar), tau=tau, provenance=provenance),
    }
    made |= {schema.name: per_condition(each, rows, schema, provenance) for schema, each in of_conditions.items()}
    first = made[T01.name].iloc[0]
    judged = judged_frame(cases(found, made[T01.name], weights, gstar, knock_outs(t10)))
    rated = t08_columns(judged["criterion_id"].tolist(), controls)
    judged = judged.assign(model_role=first["model_role"], dataset_role=first["dataset_role"], **rated)
    return made | {T08.name: finished(judged, T08, provenance)}


def ablation_rows(rows: pd.DataFrame, found: Activity, gstar: Gstar) -> pd.DataFrame:
    """Return g1 under MLP_GLOBAL and g* under every intervention of ``metrics``, per spike definition and rate."""
    chosen = np.array([gstar[SpikeDef(d), r] for d, r in zip(rows["spike_def_id"], rows["target_rate"], strict=True)])
    is_global = (rows["intervention_id"] == str(Intervention.MLP_GLOBAL)).to_numpy()
    is_g1 = is_global & (rows["gain"] == CANON.CONST.GAIN_BASELINE).to_numpy()
    is_gstar = rows["gain"].to_numpy() == chosen
    baseline = rows[is_g1].set_index(["spike_def_id", "target_rate"])[COND_ID]
    listed = [(GCondition.g1, cond_id) for cond_id in np.flatnonzero(is_g1)]
    listed += [(GCondition.gstar, cond_id) for cond_id in np.flatnonzero(is_gstar)]
    return pd.DataFrame(_ablation(rows.iloc[cond_id], found, name, baseline) for name, cond_id in listed)


def _ablation(
    row: pd.Series[Any], found: Activity, g_condition: GCondition, baseline: pd.Series[Any]
) -> dict[str, Any]:
    first = int(baseline[row["spike_def_id"], row["target_rate"]])
    value, low, high = found.difference("delta_b_tot", first=first, second=int(row[COND_ID]))
    return {
        **{name: row[name] for name in T06.by_name if name in row.index},
        "g_condition": str(g_condition),
        "g": row["gain"],
        "gain_target": _GAIN_TARGET[Intervention(row["intervention_id"])],
        "opt_delta_b_tot_vs_g1": value,
        "opt_delta_b_tot_vs_g1_ci_low": low,
        "opt_delta_b_tot_vs_g1_ci_high": high,
    }


def knock_outs(t10: pd.DataFrame) -> dict[tuple[str, float], BranchingByIntervention]:
    """Return branching by intervention at g*, by spike definition and rate."""
    chosen = t10[t10["g_condition"] == str(GCondition.gstar)]
    ends = ("sigma_depth_ci_low", "sigma_depth_ci_high")
    columns = ("spike_def_id", "target_rate", "sigma_depth", *ends, "sigma_depth_p", "reason", "n_sequences")
    return {
        (spike_def, rate): BranchingByIntervention(value, (low, high), p, why, windows)
        for spike_def, rate, value, low, high, p, why, windows in zip(*(chosen[name] for name in columns), strict=True)
    }


def cases(
    found: Statistics, summary: pd.DataFrame, weights: npt.NDArray[np.int64], gstar: Gstar,
    knocked_out: Mapping[tuple[str, float], BranchingByIntervention] | None = None,
) -> dict[tuple[str, float], Case]:  # fmt: skip
    """Return what is judged, by spike definition and rate; ``summary``: ``metrics`` with the gain as g, or T01.

    knocked_out: as ``knock_outs`` gives it; rasters without a model have none.
    """
    raster = found.raster
    records: list[dict[str, Any]] = summary.to_dict("records")  # type: ignore[assignment]
    rows = {(row["spike_def_id"], row["target_rate"], row["g"]): row for row in records}
    made = {}
    drawn = [null_id for null_id in RASTER_NULLS if not why_not_drawn(raster.counts[0], raster.tokens, null_id)]
    for (spike_def, rate), gain in gstar.items():
        ids = raster.conditions.where(intervention_id=Intervention.MLP_GLOBAL, spike_def_id=spike_def, target_rate=rate)
        gains = [raster.conditions[i].gain for i in ids]
        row = rows[str(spike_def), rate, gain]
        cond_id = ids[gains.index(gain)]
        sizes, excess = found.sizes[cond_id], found.summary.activity.excess
        why = reasons(sizes, found.adjacency)
        judged = row | survival_columns(sizes)
        made[str(spike_def), rate] = Case(
            row={name: value for name, value in judged.items() if isinstance(value, float)},
            excess={RASTER_NULLS[null_id].noun: excess_of(row, null_id) for null_id in drawn},
            gstar=gain,
            peak=chi_peak(gains, raster.counts[ids].sum(axis=(2, 3), dtype=np.int64), weights),
            reasons=why | {BRANCHING: row[BRANCHING_REASON.name]},
            other_gstar=next((g for (d, r), g in gstar.items() if r == rate and d != spike_def), float("nan")),
            same_events=all(rows[str(spike_def), rate, each][APART] == 0 for each in gains),
            sites_apart=row[APART],
            n_sites=raster.counts[0].size,
            n_layers=raster.counts.shape[2],
            n_tokens=raster.counts.shape[3],
            knock_out=(knocked_out or {}).get((str(spike_def), rate)),
            null_replicates=min(int(excess[null_id]["b_tot"].replicates[cond_id]) for null_id in drawn),
        )
    return made


def excess_of(row: Mapping[str, Any], null_id: NullId) -> tuple[float, float]:
    """Return the excess of b_tot over a null and its one-sided p from a row of T01."""
    names = null_columns(null_id)
    return float(row[names.delta]), float(row[names.p])
