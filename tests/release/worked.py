"""A chain whose stages did their own work on rasters that a test drew: all but the model is real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import yaml
from knocked_out import counted
from made import MODEL, begun
from release.chains import ELSEWHERE, executed

from critnb.canon import DatasetRole, Intervention, ModelRole, NullId, SpikeDef, Stage
from critnb.contract import spec_of, upstream_closure
from critnb.criticality import branching_sums, expected_under_permutation
from critnb.criticality.token_shuffles import TokenShuffles
from critnb.events import Calibration, RateTargets
from critnb.lattice import Condition, ConditionTable, Raster
from critnb.pipeline import artifacts
from critnb.pipeline.options import RunOptions
from critnb.pipeline.session import StageSession
from critnb.runs import Run, RunStore
from critnb.stages.s01_calibrate.tables import save_calibration
from critnb.stages.s02b_select_gstar.work import choose, load_gstar
from critnb.stages.s03_rasters.tables import fitted_before, tabulate
from critnb.stages.s04_nulls.tables import at_chosen_gains, keep
from critnb.stages.s04k_knock_out.counted import save_counted
from critnb.stages.s04k_knock_out.tables import chosen_raster
from critnb.stages.s06b_generalize.tables import save_vocabulary
from critnb.stages.shared.conditions import EVENT_KEYS, layer_rates
from critnb.stages.shared.controls.measured import control_rates
from critnb.verify.notebooks import kept_notebook, page, page_of
from critnb.verify.replay import works

LAYERS, UNITS, WINDOWS, TOKENS = MODEL["n_layers"], MODEL["d_ff"], 6, 24
GRID, RATES = (0.8, 1.0, 1.2), (0.05, 0.1)
PARAMS = {
    "windows": {"seq_len": TOKENS, "n_calibration": WINDOWS, "n_raster": WINDOWS, "n_eval_b": WINDOWS},
    "events": {"tau0": 1.5, "target_rates": list(RATES)},
    "gain": {"grid": list(GRID), "interventions": ["MLP_GLOBAL"]},
    "nulls": {"replicates": 5, "verdict_replicates": 9},
    "knock_outs": {"windows": 4, "directions": 2},
    "analysis": {"bootstrap_reps": 20, "control_rasters": 0},
}
TARGETS = RateTargets(
    1.5, UNITS, {each: np.array([24.0, 48.0]) / (WINDOWS * TOKENS * UNITS) for each in SpikeDef}, RATES
)
Measured = Callable[[StageSession], object]


def conditions(dataset: DatasetRole = DatasetRole.A) -> list[Condition]:
    return [
        Condition(ModelRole.BASE, dataset, spike_def, rate, gain, Intervention.MLP_GLOBAL)
        for gain in GRID
        for spike_def in SpikeDef
        for rate in RATES
    ]


def drawn(table: Sequence[Condition], seed: int) -> Raster:
    rng = np.random.default_rng(seed)
    counts = rng.binomial(UNITS, [each.target_rate for each in table], (WINDOWS, LAYERS, TOKENS, len(table)))
    tokens = rng.integers(0, 9, (WINDOWS, TOKENS), dtype=np.int32)
    seq_id = np.arange(WINDOWS, dtype=np.int32)
    return Raster(np.moveaxis(counts, 3, 0).astype(np.uint16), ConditionTable(table), seq_id, tokens)


def _validated(stage: StageSession) -> None:
    rows = [("identity", -1, 0.0, 0.0), ("u read at the projection", -1, 0.0, 1e-5)]
    rows += [(name, layer, 1e-8, 1e-7) for name in ("linearity", "attention linearity") for layer in range(LAYERS)]
    frame = pd.DataFrame(rows, columns=["check", "layer", "deviation", "tolerance"])
    frame["layer"] = frame["layer"].astype("int32")
    frame["passed"] = frame["deviation"] <= frame["tolerance"]
    stage.save_parquet("model_checks.parquet", frame)
    control_rates(stage)
    _read(stage, "A")


def _read(stage: StageSession, dataset: str) -> None:
    counts = {"n_texts": 9, "n_chars": 900, "n_dropped": 1, "dropped_most": [["é", 1]], "n_tokens": 300, "n_unk": 0}
    stage.save_json("token_shares.json", {dataset: {**counts, "unk_token": None}})


def _calibrated(stage: StageSession) -> None:
    spread = np.random.default_rng(1).random((2, LAYERS, UNITS)).astype(np.float32)
    save_calibration(stage, Calibration(spread[0], spread[1], WINDOWS * TOKENS), TARGETS)
    _read(stage, "A")


def _matched(stage: StageSession) -> None:
    raster = drawn(conditions(), seed=2)
    rates = layer_rates(raster, UNITS, suffix="")
    wanted = [(each.spike_def_id, each.target_rate) for each in raster.conditions]
    rates["target_layer_rate"] = np.concatenate([TARGETS.target(*each) for each in wanted])
    rates["target_events"] = np.concatenate([TARGETS.events(*each, WINDOWS * TOKENS * UNITS) for each in wanted])
    fitted = ["tau", "target_layer_rate", "target_events", "events", "achieved_rate", "ties"]
    table = rates.assign(tau=2.5, ties=1)[[*EVENT_KEYS, "layer", *fitted]]
    artifacts.save_raster(stage, raster)
    stage.save_parquet("tau_rate_matched.parquet", table)


def _extracted(stage: StageSession) -> None:
    gstar = load_gstar(stage.upstream(Stage.S02B))
    fitted = fitted_before(stage)
    tabulate(stage, drawn(conditions(), seed=3), fitted, gstar, n_units=UNITS)


def _shuffled(kept: Raster) -> Raster:
    table = ConditionTable(each.with_null(NullId.NULL_TOKEN_SHUFFLE_INPUT) for each in kept.conditions)
    return replace(kept, counts=np.ascontiguousarray(kept.counts[..., ::-1]), conditions=table)


def _nulled(stage: StageSession) -> None:
    """Shuffled tokens that move every row: as many events in each layer, elsewhere."""
    keep(stage, _shuffled)
    real = at_chosen_gains(stage)
    counts = np.stack([np.roll(real.counts, 3 * number, axis=3) for number in range(1, 4)], axis=1)
    shuffles = TokenShuffles(
        real.conditions, real.seq_id, branching_sums(counts), expected_under_permutation(counts),
        counts.sum(axis=(3, 4), dtype=np.int64), np.zeros(counts.shape[:2], dtype=np.int64),
    )  # fmt: skip
    stage.save_parquet("token_shuffles.parquet", shuffles.to_frame())


def _carried(stage: StageSession) -> None:
    gstar = load_gstar(stage.upstream(Stage.S02B))
    wanted = [
        each
        for each in conditions(DatasetRole.B)
        if each.gain in (1.0, gstar[str(each.spike_def_id), each.target_rate])
    ]
    artifacts.save_raster(stage, drawn(wanted, seed=4))
    windows = np.arange(WINDOWS, dtype=np.int32)
    frames = [
        pd.DataFrame({"gain": gain, "seq_id": windows, "n_tokens": np.int32(TOKENS - 1), "nll_mean": 2 + windows / 10})
        for gain in sorted({1.0, *gstar.values()})
    ]
    stage.save_parquet("window_likelihoods.parquet", pd.concat(frames, ignore_index=True))
    save_vocabulary(stage, 30)
    _read(stage, "B")


def _answered(stage: StageSession) -> None:
    gains = sorted({1.0, *load_gstar(stage.upstream(Stage.S02B)).values()})
    rows = pd.DataFrame(
        [(f"q{q}", gain, c) for gain in gains for q in range(8) for c in range(4)],
        columns=["question_id", "gain", "choice"],
    )
    scores = np.random.default_rng(5).normal(size=(2, len(rows)))
    rows = rows.assign(
        label=rows["choice"].map(dict(enumerate("ABCD"))), logprob_letter=scores[0], logprob_text=scores[1], n_bytes=3
    )
    left_out = {"skipped": False, "same_labels": False, "same_choices": False}
    stage.save_parquet("arc_scores.parquet", rows.assign(is_answer=rows["choice"] == 1, n_tokens=9, **left_out))
    _read(stage, "ARC_MCQ")


MEASURED: Mapping[Stage, Measured] = {
    Stage.S00: _validated,
    Stage.S01: _calibrated,
    Stage.S02: _matched,
    Stage.S02B: choose,
    Stage.S03: _extracted,
    Stage.S04: _nulled,
    Stage.S04K: lambda stage: save_counted(stage, counted(chosen_raster(stage), GRID)),
    Stage.S06B: _carried,
    Stage.S06ARC: _answered,
}


def worked_chain(store: RunStore, until: Stage | None = None) -> dict[Stage, Run]:
    """Every stage but S05 and S07, which take their time: measured as ``MEASURED`` says, all else the stage's own work.

    ``until`` a stage: those that it rests on, and itself.
    """
    runs: dict[Stage, Run] = {}
    wanted = {spec.id for spec in upstream_closure((spec_of(until),))} if until else set(MEASURED)
    for stage, measured in ((stage, measured) for stage, measured in MEASURED.items() if stage in wanted):
        runs[stage] = _worked(store, stage, measured, [runs[need] for need in spec_of(stage).needs])
    return runs


def _worked(store: RunStore, stage: Stage, measured: Measured, upstream: Sequence[Run]) -> Run:
    config = yaml.safe_dump({**PARAMS, "role": "BASE", "models": {"BASE": ELSEWHERE}}).encode()
    model = {"model": MODEL} if spec_of(stage).uses_model else {}
    with begun(store, stage, upstream=upstream, params=PARAMS, config=config, **model) as run:
        session = StageSession(spec_of(stage), run, RunOptions(base_dir=run.path))
        measured(session)
        works()[stage].work(session, session.own)
        shown = session.judge(*works()[stage].gates(session)).data
        notebook = kept_notebook(session.own)
        run.write_bytes(notebook, executed(run, shown))
        run.write_bytes(page_of(notebook), page(session.own))
        return run.publish()
