"""A small study made with the real instrument on a simulated raster: what the report's tests draw and tabulate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from critnb.canon import CANON, Adjacency, DatasetRole, Intervention, ModelRole, NullId, SpikeDef, Stage
from critnb.criticality import (
    NullSample,
    branching_sums,
    multinomial_weights,
    null_branching,
    select_gstar,
    summarise,
)
from critnb.criticality.sizes.analysis import Settings, SizeShard, analyse_sizes
from critnb.criticality.sizes.sample import Lattice
from critnb.criticality.sizes.scaling import critical_pool
from critnb.lattice import RASTER_NULLS, Condition, ConditionTable, Raster, null_raster
from critnb.report.assembly import t01
from critnb.report.provenance import Provenance
from critnb.runs import PartialRun, Run, RunStore, code_facts, environment_facts, hash_inputs
from critnb.stages.s05_analysis.size_columns import t01_columns
from critnb.stages.s05_analysis.tables import summary_frame

GAINS = (0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3)
RATES = (2e-4, 4e-4, 8e-4)
N, L, T, F = 16, 8, 96, 512
TAU0 = 2.5


@dataclass(frozen=True, eq=False)
class Study:
    raster: Raster
    null: Raster
    tau: pd.DataFrame
    choices: list[dict[str, Any]]
    t01: pd.DataFrame
    provenance: Provenance

    @property
    def gstar(self) -> dict[tuple[SpikeDef, float], float]:
        return {(SpikeDef(c["spike_def_id"]), c["target_rate"]): c["gstar"] for c in self.choices}


def conditions() -> ConditionTable:
    return ConditionTable(
        Condition(ModelRole.BASE, DatasetRole.A, spike_def, rate, gain, Intervention.MLP_GLOBAL)
        for spike_def in SpikeDef
        for rate in RATES
        for gain in GAINS
    )


def cascade(table: ConditionTable, seed: int) -> Raster:
    """Sites driven at random pass on to the next token and the next layer, the more the larger the gain."""
    rng = np.random.default_rng(seed)
    one_sided = np.array([c.spike_def_id == SpikeDef.SPIKE_ONE_SIDED_POS for c in table])[:, None]
    drive = 0.12 * np.array([(c.target_rate / RATES[-1]) ** 0.8 for c in table])[:, None]
    along_t = 0.35 * np.array([c.gain for c in table])[:, None] + 0.05 * one_sided
    along_l = 0.32 * np.array([c.gain**2 for c in table])[:, None]
    occupied = np.zeros((len(table), N, L, T), dtype=np.bool_)
    for t in range(T):
        for layer in range(L):
            site = rng.random((len(table), N)) < drive
            if t:
                site |= occupied[:, :, layer, t - 1] & (rng.random((len(table), N)) < along_t)
            if layer:
                site |= occupied[:, :, layer - 1, t] & (rng.random((len(table), N)) < along_l)
            occupied[:, :, layer, t] = site
    counts = (occupied * (1 + rng.poisson(0.6, occupied.shape))).astype(np.uint16)
    return Raster(counts, table, np.arange(N, dtype=np.int32) + 100)


def tau_table(table: ConditionTable, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    share = np.linspace(0.5, 1.5, L)
    rows = []
    for condition in table:
        target = condition.target_rate * share
        events = np.round(target * N * T * F).astype(np.int64)
        held_out = target * rng.lognormal(0.03 * (condition.gain - 1), 0.12, L)
        rows += [
            {
                "intervention_id": str(condition.intervention_id),
                "gain": condition.gain,
                "spike_def_id": str(condition.spike_def_id),
                "target_rate": condition.target_rate,
                "layer": layer,
                "tau": 2.5 + 0.1 * layer,
                "target_events": events[layer],
                "events": events[layer] - (layer == 3),
                "target_layer_rate": target[layer],
                "achieved_rate": (events[layer] - (layer == 3)) / (N * T * F),
                "achieved_rate_raster": held_out[layer],
                "ties": int(layer == 3),
            }
            for layer in range(L)
        ]
    return pd.DataFrame(rows)


def choose(raster: Raster) -> list[dict[str, Any]]:
    choices = []
    for spike_def in SpikeDef:
        for rate in RATES:
            ids = raster.conditions.where(spike_def_id=spike_def, target_rate=rate)
            choice = select_gstar(GAINS, branching_sums(raster.counts[ids]), baseline=1.0, replicates=200, seed=1)
            choices.append({"spike_def_id": str(spike_def), "target_rate": rate, **choice.as_dict()})
    return choices


def nulls(raster: Raster, replicates: int) -> dict[NullId, NullSample]:
    return {
        null_id: NullSample.of(
            null_branching(counts, raster.seq_id, null_id, seed=7, condition_key=c.key(), replicates=range(replicates))
            for counts, c in zip(raster.counts, raster.conditions, strict=True)
        )
        for null_id in RASTER_NULLS
    }


def exponents(raster: Raster) -> pd.DataFrame:
    """T01's columns about sizes, one row per condition."""
    lattice = Lattice(L, T, F)
    pool = critical_pool(lattice, cascades=2_000, seed=1)
    settings = Settings(
        lattice, Adjacency.ADJ_4N, multinomial_weights(N, 40, 1), pool, 1, reference_replicates=10, null_seed=7
    )
    shards = [SizeShard(raster.take([i]), margins=False) for i in range(len(raster.conditions))]
    return pd.DataFrame([t01_columns(analyse_sizes(shard, settings), Adjacency.ADJ_4N) for shard in shards])


@pytest.fixture(scope="session")
def provenance() -> Provenance:
    return Provenance(
        run_id="RUN_S05_0123456789ab",
        stage_id=Stage.S05,
        model_id="critnb/embedded-base",
        config_hash="ab" * 32,
        code_version="0.1.0",
    )


@pytest.fixture(scope="session")
def study(provenance: Provenance) -> Study:
    raster, calibration = cascade(conditions(), 1), cascade(conditions(), 2)
    null = null_raster(raster, NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, seed=7)
    choices = choose(calibration)
    tau = tau_table(raster.conditions, 3)
    summary = summarise(
        raster, nulls(raster, 30), permuted=null, adjacency=Adjacency.ADJ_4N, replicates=100, seed=CANON.CONST.NULL_SEED
    )
    rows = pd.concat([summary_frame(summary), exponents(raster)], axis=1)
    gstar = {(SpikeDef(c["spike_def_id"]), c["target_rate"]): c["gstar"] for c in choices}
    table = t01(summary=rows, tau=tau, gstar=gstar, tau0=TAU0, provenance=provenance)
    return Study(raster, null, tau, choices, table, provenance)


Write = Callable[[PartialRun], object]


@pytest.fixture
def run_with(tmp_path: Path) -> Callable[[Write], Run]:
    """Make a real, published run of S05 that holds what ``write`` writes."""

    def make(write: Write) -> Run:
        config = b"analysis: {}\n"
        inputs = hash_inputs(stage=Stage.S05, sections={}, upstream={}, notebook=b"[]", sources={})
        with RunStore(tmp_path / "runs").create(inputs.run_id()) as run:
            run.write_bytes(CANON.OUTPUT.CONFIG_RESOLVED_YAML, config)
            run.update(
                command=["runner.py"],
                params_sections=[],
                config_hash=hashlib.sha256(config).hexdigest(),
                hash_inputs=inputs,
                dependencies=[],
                determinism={"seeds": {}, "flags": {}, "not_deterministic": []},
                code=code_facts(inputs.sources),
                environment=environment_facts(),
            )
            write(run)
            return run.publish()

    return make
