"""S05: the statistics of every condition beside their nulls, as tables. No model is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from critnb.canon import CANON, Intervention, SpikeDef, Stage
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.overlap import spike_def_overlap
from critnb.criticality.shuffled_input import shuffled_input
from critnb.criticality.sizes.analysis import MARGINS, Settings, SizeAnalysis, SizeShard, analyse_sizes
from critnb.criticality.sizes.sample import Lattice
from critnb.criticality.sizes.scaling import critical_pool
from critnb.criticality.summary import avalanche_frames, summarise
from critnb.criticality.token_shuffles import TokenShuffles, against_shuffles
from critnb.gates import Gate
from critnb.lattice import PRIMARY, RASTER_NULLS, Condition, Raster, marginals_exact, null_when_asked
from critnb.pipeline.artifacts import load_null_raster, load_raster, load_samples
from critnb.pipeline.session import StageSession
from critnb.report.provenance import Provenance
from critnb.report.schema import T01, T04, T05, T06, T08, T09, T10
from critnb.report.schema.nulls import marginals_column, null_columns
from critnb.report.tables import load_table, write_table
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.s05_analysis.tables import Gstar, Statistics, metrics, tables
from critnb.stages.shared.closed_form import closed_form_gate
from critnb.stages.shared.controls import stored_rates as control_rates

_CONST = CANON.CONST


@dataclass(frozen=True, eq=False)
class AnalysisResult:
    """What the notebook shows: the tables, and what the figures are drawn from.

    permuted: one replicate of the primary null of every condition; choices: of gstar.json.
    """

    t01: pd.DataFrame
    t04: pd.DataFrame
    t05: pd.DataFrame
    t06: pd.DataFrame
    t08: pd.DataFrame
    t09: pd.DataFrame
    raster: Raster
    permuted: Raster
    tau: pd.DataFrame
    choices: list[dict[str, Any]]
    gstar: Gstar
    provenance: Provenance


def analyse(stage: StageSession) -> AnalysisResult:
    """Compute the statistics of every condition on A_raster and write metrics, avalanches and all tables of the stage."""
    s03, s04 = stage.upstream(Stage.S03), stage.upstream(Stage.S04)
    raster, params = load_raster(s03), stage.params
    content = stage.upstream(Stage.S02B)
    choices = content.json(content.result(CANON.OUTPUT.GSTAR_JSON_BASENAME))["choices"]
    gstar = {(SpikeDef(name), rate): gain for (name, rate), gain in load_gstar(content).items()}
    permuted = null_when_asked(raster, PRIMARY, seed=params.nulls.seed)
    n_units = int((s03.record.model or {})["d_ff"])
    found = _statistics(stage, raster, permuted, load_null_raster(s04), gstar, n_units=n_units)
    rows = metrics(found)
    tau = s04.parquet(s04.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    provenance = Provenance.of(stage.run, s03.record.model)
    weights = multinomial_weights(len(raster.seq_id), params.analysis.bootstrap_reps, params.analysis.bootstrap_seed)
    made = tables(
        found, rows, weights,
        tau=tau, tau0=params.events.tau0, gstar=gstar, controls=control_rates.load(stage.upstream(Stage.S00)),
        t10=load_table(stage.upstream(Stage.S04K), T10.name),
        provenance=provenance,
    )  # fmt: skip
    stage.save_parquet(CANON.OUTPUT.METRICS_PARQUET_BASENAME, rows)
    stage.save_parquet(CANON.OUTPUT.AVALANCHES_PARQUET_BASENAME, avalanche_frames(raster, params.analysis.adjacency))
    stage.conditions(raster.conditions.to_frame())
    for name, table in made.items():
        write_table(stage.run, name, table)
    return AnalysisResult(
        t01=made[T01.name], t04=made[T04.name], t05=made[T05.name],
        t06=made[T06.name], t08=made[T08.name], t09=made[T09.name],
        raster=raster, permuted=permuted, tau=tau, choices=choices, gstar=gstar, provenance=provenance,
    )  # fmt: skip


def _statistics(
    stage: StageSession, raster: Raster, permuted: Raster, kept: Raster, gstar: Gstar, *, n_units: int
) -> Statistics:
    """``permuted``: one replicate of the primary null of every condition; ``kept``: the null rasters that S04 kept."""
    analysis = stage.params.analysis
    with stage.step("branching"):
        summary = summarise(
            raster, load_samples(stage.upstream(Stage.S04)), permuted=permuted, adjacency=analysis.adjacency,
            replicates=analysis.bootstrap_reps, seed=analysis.bootstrap_seed,
        )  # fmt: skip
    return Statistics(
        raster,
        summary,
        _sizes(stage, raster, gstar, n_units=n_units),
        shuffled_input(raster, kept),
        against_shuffles(raster, _shuffles(stage), replicates=analysis.bootstrap_reps, seed=analysis.bootstrap_seed),
        spike_def_overlap(raster),
        {
            null_id: marginals_exact(raster, null_when_asked(raster, null_id, seed=stage.params.nulls.seed))
            for null_id in RASTER_NULLS
        },
        analysis.adjacency,
    )


def _shuffles(stage: StageSession) -> TokenShuffles:
    run = stage.upstream(Stage.S04)
    return TokenShuffles.from_frame(run.parquet(run.result(CANON.OUTPUT.TOKEN_SHUFFLES_PARQUET_BASENAME)))


def _sizes(stage: StageSession, raster: Raster, gstar: Gstar, *, n_units: int) -> dict[int, SizeAnalysis]:
    """Analyse the avalanches of every condition of the gain grid, side by side in processes."""
    analysis, null_params = stage.params.analysis, stage.params.nulls
    _, n_sequences, n_layers, n_tokens = raster.counts.shape
    lattice = Lattice(n_layers, n_tokens, n_units)
    with stage.step("critical reference"):
        critical = critical_pool(lattice, cascades=_CONST.REFERENCE_CASCADES, seed=_CONST.REFERENCE_SEED)
    settings = Settings(
        lattice, analysis.adjacency,
        multinomial_weights(n_sequences, analysis.bootstrap_reps, analysis.bootstrap_seed), critical,
        p_replicates=analysis.tail_replicates, seed=analysis.bootstrap_seed, null_seed=null_params.seed,
    )  # fmt: skip
    cond_ids = raster.conditions.where(intervention_id=Intervention.MLP_GLOBAL)
    shards = [
        SizeShard(
            raster.take([i]), _replicates_pooled(raster.conditions[i], gstar, null_params.verdict_replicates),
            MARGINS in RASTER_NULLS,
        )
        for i in cond_ids
    ]  # fmt: skip
    with stage.step("sizes"), stage.progress("sizes", len(shards), "condition") as advance:
        analysed = stage.engine.map_in_processes(partial(analyse_sizes, settings=settings), shards, on_done=advance)
    return dict(zip(cond_ids, analysed, strict=True))


def _replicates_pooled(condition: Condition, gstar: Gstar, of_verdicts: int) -> int:
    """Return how many replicates may be pooled: where verdicts look, at g1 and g*, as many as those have, elsewhere one."""
    judged = condition.gain in (_CONST.GAIN_BASELINE, gstar[condition.spike_def_id, condition.target_rate])
    return of_verdicts if judged else 1


def _replicates(stage: StageSession, table: pd.DataFrame) -> pd.Series[int]:
    """Return how many replicates of the primary null stand behind each row of T01."""
    s03 = stage.upstream(Stage.S03)
    conditions = s03.parquet(s03.result(CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME))
    drawn = conditions.assign(replicates=load_samples(stage.upstream(Stage.S04))[PRIMARY].replicates)
    of_grid = drawn[drawn["intervention_id"] == str(Intervention.MLP_GLOBAL)].rename(columns={"gain": "g"})
    return table.merge(of_grid, on=["spike_def_id", "target_rate", "g"], how="left", validate="one_to_one")[
        "replicates"
    ]


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S05: held marginals, the Monte Carlo null against its closed form, and avalanches to analyse."""
    table = load_table(stage.own, T01.name)
    kept = table[[marginals_column(null_id) for null_id in RASTER_NULLS]].all(axis=1)
    return [
        Gate.judge(
            "nulls keep their marginals",
            passed=bool(kept.all()),
            value=f"{int(kept.sum())} of {len(table)}",
            condition="; ".join(dict.fromkeys(null.keeps for null in RASTER_NULLS.values())),
        ),
        closed_form_gate(table, null_columns(PRIMARY).mean, _replicates(stage, table)),
        Gate.judge(
            "avalanches in every condition",
            passed=bool((table["n_avalanches"] > 0).all()),
            value=int(table["n_avalanches"].min()),
            condition="at least one",
        ),
    ]
