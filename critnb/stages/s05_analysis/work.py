"""S05: the statistics of every condition beside their nulls, as tables. No model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, Intervention, SpikeDef, Stage
from critnb.criticality.ablations import ablation_rows
from critnb.criticality.activity import REASON
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.overlap import APART, overlap_columns
from critnb.criticality.shuffled_input import token_shuffle_columns
from critnb.criticality.sizes.analysis import Settings, SizeAnalysis, SizeShard, analyse_sizes
from critnb.criticality.sizes.rows import reasons, t01_columns, t04_columns, t05_columns, t09_rows
from critnb.criticality.sizes.sample import Lattice
from critnb.criticality.sizes.scaling import critical_pool
from critnb.criticality.summary import Summary, summarise
from critnb.criticality.verdicts import BRANCHING, Case, chi_peak, judged_frame
from critnb.engine import map_in_processes
from critnb.gates import Gate
from critnb.lattice import RASTER_NULLS, Raster, marginals_exact, null_raster
from critnb.pipeline.artifacts import load_null_raster, load_raster, load_samples
from critnb.pipeline.session import StageSession
from critnb.report.assembly import finished, per_condition, t01, t06
from critnb.report.provenance import Provenance
from critnb.report.schema import T04, T05, T08, T09
from critnb.report.tables import load_table, write_table
from critnb.stages.s02b_select_gstar import work as selection

_PERM, _SHIFT = RASTER_NULLS
_CONST = CANON.CONST
_MONTE_CARLO_ERRORS = 5.0
Gstar = Mapping[tuple[SpikeDef, float], float]


@dataclass(frozen=True, eq=False)
class Analysis:
    """What the notebook shows: the tables, all avalanches, and what the figures are drawn from."""

    tables: Mapping[str, pd.DataFrame]
    avalanches: pd.DataFrame
    raster: Raster
    permuted: Raster
    tau: pd.DataFrame
    choices: list[dict[str, Any]]
    gstar: Gstar
    provenance: Provenance

    @property
    def t01(self) -> pd.DataFrame:
        """The summary."""
        return self.tables[CANON.TABLE.T01_SUMMARY]

    @property
    def t04(self) -> pd.DataFrame:
        """The tail fits."""
        return self.tables[CANON.TABLE.T04_TAIL_FITS]

    @property
    def t05(self) -> pd.DataFrame:
        """The crackling diagnostics."""
        return self.tables[CANON.TABLE.T05_CRACKLING_DIAGNOSTICS]

    @property
    def t06(self) -> pd.DataFrame:
        """The ablations."""
        return self.tables[CANON.TABLE.T06_ABLATIONS]

    @property
    def t08(self) -> pd.DataFrame:
        """The signatures and falsifiers."""
        return self.tables[CANON.TABLE.T08_SIGNATURES]

    @property
    def t09(self) -> pd.DataFrame:
        """The exponents."""
        return self.tables[CANON.TABLE.T09_EXPONENTS]


def analyse(stage: StageSession) -> Analysis:
    """Compute the statistics of every condition on A_raster and write metrics, avalanches and all tables of the stage."""
    s03, s04 = stage.upstream(Stage.S03), stage.upstream(Stage.S04)
    raster = load_raster(s03)
    params = stage.params
    nulls = {null_id: null_raster(raster, null_id, seed=params.nulls.seed) for null_id in RASTER_NULLS}
    samples = load_samples(s04)
    with stage.step("branching"):
        summary = summarise(
            raster, samples, permuted=nulls[_PERM], adjacency=params.analysis.adjacency,
            replicates=params.analysis.bootstrap_reps, seed=params.analysis.bootstrap_seed,
        )  # fmt: skip
    sizes = _sizes(stage, raster, nulls[_PERM], n_units=int((s03.record.model or {})["d_ff"]))
    rows = _all_columns(stage, summary, sizes, raster, load_null_raster(s04)).assign(
        opt_perm_null_marginals_exact=marginals_exact(raster, nulls[_PERM]),
        opt_shift_null_marginals_exact=marginals_exact(raster, nulls[_SHIFT]),
        **overlap_columns(raster),
    )
    content = stage.upstream(Stage.S02B)
    choices = content.json(content.result(CANON.OUTPUT.GSTAR_JSON_BASENAME))["choices"]
    gstar = {(SpikeDef(name), rate): gain for (name, rate), gain in selection.load(content).items()}
    tau = s04.parquet(s04.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    provenance = Provenance.of(stage.run, s03.record.model)
    summary = Summary(rows, summary.avalanches, summary.delta_replicates)
    tables = _tables(stage, summary, sizes, raster, tau=tau, gstar=gstar, provenance=provenance)
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, rows)
    stage.save_parquet(CANON.OUTPUT.AVALANCHES_PARQUET_BASENAME, summary.avalanches)
    stage.conditions(raster.conditions.to_frame())
    for name, table in tables.items():
        write_table(stage.run, name, table)
    return Analysis(tables, summary.avalanches, raster, nulls[_PERM], tau, choices, gstar, provenance)


def _sizes(stage: StageSession, raster: Raster, permuted: Raster, *, n_units: int) -> dict[int, SizeAnalysis]:
    """Analyse the avalanches of every condition of the gain grid, side by side in processes."""
    analysis = stage.params.analysis
    _, n_sequences, n_layers, n_tokens = raster.counts.shape
    lattice = Lattice(n_layers, n_tokens, n_units)
    with stage.step("critical reference"):
        critical = critical_pool(lattice, cascades=_CONST.REFERENCE_CASCADES, seed=_CONST.REFERENCE_SEED)
    settings = Settings(
        lattice, analysis.adjacency,
        multinomial_weights(n_sequences, analysis.bootstrap_reps, analysis.bootstrap_seed), critical,
        p_replicates=analysis.tail_replicates, seed=analysis.bootstrap_seed,
    )  # fmt: skip
    cond_ids = raster.conditions.where(intervention_id=Intervention.MLP_GLOBAL)
    shards = [
        SizeShard(raster.counts[i], permuted.counts[i], raster.seq_id, raster.conditions[i].key()) for i in cond_ids
    ]
    with stage.step("sizes"), stage.progress("sizes", len(shards), "condition") as advance:
        analysed = map_in_processes(partial(analyse_sizes, settings=settings), shards, on_done=advance)
    return dict(zip(cond_ids, analysed, strict=True))


def _all_columns(
    stage: StageSession, summary: Summary, sizes: Mapping[int, SizeAnalysis], raster: Raster, nulls: Raster
) -> pd.DataFrame:
    """Return the summary's rows with the exponents, NaN for other interventions, and with the token shuffle's."""
    adjacency = stage.params.analysis.adjacency
    exponents = pd.DataFrame({"cond_id": i, **t01_columns(found, adjacency)} for i, found in sizes.items())
    rows = summary.rows.merge(exponents, on="cond_id", how="left", validate="one_to_one")
    return rows.merge(token_shuffle_columns(raster, nulls), on="cond_id", validate="one_to_one")


def _tables(
    stage: StageSession, summary: Summary, sizes: Mapping[int, SizeAnalysis], raster: Raster, *,
    tau: pd.DataFrame, gstar: Gstar, provenance: Provenance,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    grid, adjacency = summary.rows, stage.params.analysis.adjacency
    of_conditions = {
        T04: pd.DataFrame({"cond_id": i, **t04_columns(found)} for i, found in sizes.items()),
        T05: pd.DataFrame({"cond_id": i, **t05_columns(found, adjacency)} for i, found in sizes.items()),
        T09: pd.DataFrame({"cond_id": i, **row} for i, found in sizes.items() for row in t09_rows(found)),
    }
    tables = {
        CANON.TABLE.T01_SUMMARY: t01(
            summary=grid, tau=tau, gstar=gstar, tau0=stage.params.events.tau0, provenance=provenance
        ),
        CANON.TABLE.T06_ABLATIONS: t06(ablations=ablation_rows(summary, gstar), tau=tau, provenance=provenance),
    }
    tables |= {schema.name: per_condition(rows, grid, schema, provenance) for schema, rows in of_conditions.items()}
    cases = _cases(stage, tables, sizes, raster, gstar)
    first = tables[CANON.TABLE.T01_SUMMARY].iloc[0]
    judged = judged_frame(cases).assign(model_role=first["model_role"], dataset_role=first["dataset_role"])
    tables[T08.name] = finished(judged, T08, provenance)
    return tables


def _cases(
    stage: StageSession,
    tables: Mapping[str, pd.DataFrame],
    sizes: Mapping[int, SizeAnalysis],
    raster: Raster,
    gstar: Gstar,
) -> dict[tuple[str, float], Case]:
    analysis = stage.params.analysis
    weights = multinomial_weights(len(raster.seq_id), analysis.bootstrap_reps, analysis.bootstrap_seed)
    summary = _by_condition(tables[CANON.TABLE.T01_SUMMARY])
    cases = {}
    for (spike_def, rate), gain in gstar.items():
        ids = raster.conditions.where(intervention_id=Intervention.MLP_GLOBAL, spike_def_id=spike_def, target_rate=rate)
        gains = [raster.conditions[i].gain for i in ids]
        events = raster.counts[ids].sum(axis=(2, 3), dtype=np.int64)
        row = summary[str(spike_def), rate, gain]
        cases[str(spike_def), rate] = Case(
            row={name: value for name, value in row.items() if isinstance(value, float)},
            gstar=gain,
            peak=chi_peak(gains, events, weights),
            reasons=reasons(sizes[ids[gains.index(gain)]], analysis.adjacency) | {BRANCHING: row[REASON]},
            other_gstar=next((g for (d, r), g in gstar.items() if r == rate and d != spike_def), float("nan")),
            same_events=all(summary[str(spike_def), rate, each][APART] == 0 for each in gains),
        )
    return cases


def _by_condition(table: pd.DataFrame) -> dict[tuple[str, float, float], dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return {(row["spike_def_id"], row["target_rate"], row["g"]): row for row in rows}


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S05: held marginals, the Monte Carlo null against its closed form, and avalanches to analyse."""
    table = load_table(stage.own, CANON.TABLE.T01_SUMMARY)
    replicates = load_samples(stage.upstream(Stage.S04))[_PERM].pooled.b_tot.shape[1]
    kept = table["opt_perm_null_marginals_exact"] & table["opt_shift_null_marginals_exact"]
    errors = (table["b_tot_perm"] - table["opt_b_tot_perm_expected"]).abs() / (
        table["opt_b_tot_perm_sd"] / np.sqrt(replicates)
    )
    return [
        Gate.judge(
            "nulls keep their marginals",
            passed=bool(kept.all()),
            value=f"{int(kept.sum())} of {len(table)}",
            condition="every row of a null raster holds the counts of the real row",
        ),
        Gate.judge(
            "permutation null against its closed form",
            passed=None if errors.isna().any() else bool(errors.max() <= _MONTE_CARLO_ERRORS),
            value=float(errors.max()),
            condition=f"mean over replicates within {_MONTE_CARLO_ERRORS:g} standard errors of the expectation everywhere",
            reason=f"no comparison in {missing} of {len(table)} conditions"
            if (missing := int(errors.isna().sum()))
            else "",
        ),
        Gate.judge(
            "avalanches in every condition",
            passed=bool((table["n_avalanches"] > 0).all()),
            value=int(table["n_avalanches"].min()),
            condition="at least one",
        ),
    ]
