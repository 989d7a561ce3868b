"""S02B: choose g* for every spike definition and rate, from branching on A_cal and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from critnb.canon import CANON, Intervention, Stage
from critnb.criticality.branching import BranchingSums, branching_sums
from critnb.criticality.gstar import GstarChoice, select_gstar
from critnb.gates import Gate
from critnb.lattice import Raster
from critnb.pipeline.artifacts import load_raster
from critnb.pipeline.session import StageSession
from critnb.runs import Run

Choice = tuple[str, float, GstarChoice]


def choose(stage: StageSession) -> list[Choice]:
    """Choose g* per (spike definition, rate) and write gstar.json."""
    run = stage.upstream(Stage.S02)
    raster = load_raster(run)
    params = stage.params
    choices = [
        (str(spike_def), rate, _choose_one(raster, stage, spike_def_id=spike_def, target_rate=rate))
        for spike_def in params.events.spike_defs
        for rate in params.events.target_rates
    ]
    metrics = run.artifacts[run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME)]
    rasters = run.artifacts[run.result(CANON.OUTPUT.RASTER_NPZ_BASENAME)]
    content: dict[str, Any] = {
        "criterion": "argmin over the grid of |b_tot(g) - 1| on A_cal; ties to the gain closest to 1, then the smaller",
        "model_role": str(stage.role),
        "computed_from": {"run_id": run.run_id, "metrics_sha256": metrics.sha256, "raster_sha256": rasters.sha256},
        "choices": [{"spike_def_id": name, "target_rate": rate, **choice.as_dict()} for name, rate, choice in choices],
    }
    stage.save_json(CANON.OUTPUT.GSTAR_JSON_BASENAME, content)
    return choices


def _choose_one(raster: Raster, stage: StageSession, **wanted: Any) -> GstarChoice:
    ids = raster.conditions.where(intervention_id=Intervention.MLP_GLOBAL, **wanted)
    gains = [raster.conditions[i].gain for i in ids]
    sums = BranchingSums.stack([branching_sums(raster.counts[i]) for i in ids])
    return select_gstar(
        gains,
        sums,
        baseline=CANON.CONST.GAIN_BASELINE,
        replicates=stage.params.analysis.bootstrap_reps,
        seed=stage.params.analysis.bootstrap_seed,
    )


def load_gstar(run: Run) -> dict[tuple[str, float], float]:
    """Return g* by (spike definition, rate) from a run of S02B."""
    content = run.json(run.result(CANON.OUTPUT.GSTAR_JSON_BASENAME))
    return {(c["spike_def_id"], c["target_rate"]): c["gstar"] for c in content["choices"]}


def choice_table(choices: list[Choice]) -> pd.DataFrame:
    """Return one row per choice, for a reader."""
    rows = [
        {
            "spike_def_id": spike_def,
            "target_rate": rate,
            "g*": choice.gstar,
            "b_tot(g*)": choice.b_tot_at_gstar,
            "confidence set": gains_words(choice.confidence_set),
            "identified": "yes" if choice.identified else "no",
            "share of replicates": float(choice.chosen_share[choice.gains.index(choice.gstar)]),
            "on the grid's edge": "yes" if choice.at_grid_edge else "no",
            "b_tot crosses 1 at": choice.crossing,
        }
        for spike_def, rate, choice in choices
    ]
    return pd.DataFrame(rows)


def gains_words(gains: Sequence[float]) -> str:
    """Return gains in words."""
    return ", ".join(f"{gain:g}" for gain in gains)


def share_table(choices: list[Choice]) -> pd.DataFrame:
    """Return one row per choice and one column per gain: the share of replicates that choose it."""
    rows = [
        {"spike_def_id": spike_def, "target_rate": rate, **dict(zip(map(str, c.gains), c.chosen_share, strict=True))}
        for spike_def, rate, c in choices
    ]
    return pd.DataFrame(rows)


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S02B: how many choices are identified, and how many lie inside the grid."""
    choices = stage.own.json(stage.own.result(CANON.OUTPUT.GSTAR_JSON_BASENAME))["choices"]
    identified = sum(choice["identified"] for choice in choices)
    comparable = any(len(choice["gains"]) > 1 for choice in choices)
    inside = sum(not choice["at_grid_edge"] for choice in choices)
    crossing = sum(choice["crosses_one"] for choice in choices)
    return [
        Gate.judge(
            "g* identified",
            passed=identified == len(choices) if comparable else None,
            value=f"{identified} of {len(choices)}",
            condition="no other gain is in the 95 % confidence set of gains",
            reason="the others are reported and marked as not identified"
            if comparable
            else choices[0]["identified_reason"],
        ),
        Gate.judge(
            "g* inside the grid",
            passed=inside == len(choices),
            value=f"{inside} of {len(choices)}",
            condition="g* is not the smallest or largest gain",
            reason=f"b_tot crosses one inside the grid for {crossing} of {len(choices)}",
        ),
    ]
