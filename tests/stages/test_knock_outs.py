"""S04K without a model: T10 from counts of known outcome, against brute force; its gates; and what has no answer."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from knocked_out import counted, sums_of
from release.worked import GRID, RATES, worked_chain

from critnb.canon import CANON, SpikeDef, Stage
from critnb.contract import spec_of
from critnb.criticality.knock_outs import KnockOutSums
from critnb.errors import ModelError, RerunError
from critnb.gates import Verdict
from critnb.pipeline.artifacts import load_raster
from critnb.pipeline.options import RunOptions
from critnb.pipeline.session import StageSession
from critnb.report.provenance import Provenance
from critnb.report.schema import T10
from critnb.report.tables import load_table
from critnb.runs import RunStore
from critnb.stages.s04k_knock_out import counted as counted_files
from critnb.stages.s04k_knock_out import tables, views, work
from critnb.stages.s05_analysis.tables import knock_outs
from critnb.verify.replay import _StandIn, replay, works


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return worked_chain(RunStore(tmp_path_factory.mktemp("runs")), until=Stage.S04K)


@pytest.fixture
def stage(runs):
    """A session of S04K that writes nothing to disk."""
    run = runs[Stage.S04K]
    return StageSession(spec_of(Stage.S04K), _StandIn(run), RunOptions(base_dir=run.path))


def judged(stage, counted_) -> dict[str, tuple[Verdict, str]]:
    """The gates of counts in place of the stage's own."""
    files = {
        CANON.OUTPUT.KNOCKOUTS_PARQUET_BASENAME: counted_.knock_outs,
        CANON.OUTPUT.STABILITY_PARQUET_BASENAME: counted_.stability,
    }
    record = SimpleNamespace(metrics={counted_files.NOT_AVAILABLE: counted_.reason})
    own = SimpleNamespace(parquet=files.get, result=lambda name: name, record=record)
    seen = SimpleNamespace(own=own, params=stage.params, upstream=stage.upstream)
    return {gate.name: (gate.verdict, gate.reason) for gate in tables.gates(seen)}


def tabulated(stage, counted_):
    return tables.tabulate(stage, counted_, Provenance.of(stage.run, stage.run.record.model))


def test_frames_give_back_the_sums_that_they_were_made_of(stage):
    raster = tables.chosen_raster(stage)
    frame = counted(raster, GRID).knock_outs
    shuffled = frame.sort_values("gain", kind="stable", ascending=False)
    for given in (frame, shuffled):
        found = counted_files.sums_by_condition(given, raster)
        assert len(found) == len(raster.conditions)
        for i, (condition, counts) in enumerate(zip(raster.conditions, raster.counts, strict=True)):
            again = found[str(condition.spike_def_id), condition.target_rate, condition.gain].arrays()
            for name, array in sums_of(counts, i).arrays().items():
                np.testing.assert_array_equal(again[name], array, err_msg=name)


def test_t10_is_what_a_group_by_of_the_counts_says(runs):
    run = runs[Stage.S04K]
    frame = run.parquet(run.result(CANON.OUTPUT.KNOCKOUTS_PARQUET_BASENAME))
    table = load_table(run, T10.name)
    assert len(table) == 2 * 2 * 2
    for row in table.itertuples():
        of = frame[
            (frame["spike_def_id"] == row.spike_def_id)
            & (frame["target_rate"] == row.target_rate)
            & (frame["gain"] == row.g)
        ]
        sums = of.groupby("variant")[["out", "lost_next", "new_next", "lost_above", "new_above", "pairs"]].sum()
        lost, out = sums["lost_next"] - sums["new_next"], sums.loc["events", "out"]
        assert row.events_out == out
        assert row.sigma_depth == pytest.approx((lost["events"] - lost["random_units"]) / out)
        assert row.sigma_depth_places == pytest.approx((lost["events"] - lost["random_places"]) / out)
        above = sums["lost_above"] - sums["new_above"]
        assert row.offspring == pytest.approx((above["events"] - above["random_units"]) / out)
        next_layer = of[of["variant"] == "events"]["events_next"].sum()
        assert row.lost_share == pytest.approx(sums.loc["events", "lost_next"] / next_layer)
        assert row.new_share == pytest.approx(sums.loc["events", "new_next"] / next_layer)
        assert row.sigma_depth_ci_low < row.sigma_depth < row.sigma_depth_ci_high


def test_the_raster_estimate_is_that_of_the_windows_which_were_knocked_out(runs):
    s03, table = runs[Stage.S03], load_table(runs[Stage.S04K], T10.name)
    raster = load_raster(s03)
    for row in table.itertuples():
        (i,) = raster.conditions.where(spike_def_id=row.spike_def_id, target_rate=row.target_rate, gain=row.g)
        x = raster.counts[i, : row.n_sequences] > 0
        sites, k = x[:, :-1].sum(), x.sum(axis=-1)
        b_depth = (x[:, :-1] & x[:, 1:]).sum() / sites
        assert row.b_depth == pytest.approx(b_depth)
        assert row.delta_b_depth == pytest.approx(b_depth - (k[:, :-1] * k[:, 1:]).sum() / x.shape[-1] / sites)


def test_the_exponent_is_the_mean_growth_at_that_gain(runs):
    run = runs[Stage.S04K]
    frame = run.parquet(run.result(CANON.OUTPUT.STABILITY_PARQUET_BASENAME))
    means = frame[~frame["is_wide"]].groupby("gain")["log_growth"].mean()
    table = load_table(run, T10.name)
    np.testing.assert_allclose(table["lyapunov"], means.loc[table["g"]])
    assert (table["lyapunov_ci_high"] < 0).all()


def test_gates_of_counts_that_are_the_raster_s(stage):
    good = counted(tables.chosen_raster(stage), GRID)
    assert {verdict for verdict, _ in judged(stage, good).values()} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("column", "gate"),
    [("events_next", "base pass gives the kept raster"), ("out", "controls put out as many")],
)
def test_one_count_that_is_off_fails_its_gate(stage, column, gate):
    good = counted(tables.chosen_raster(stage), GRID)
    frame = good.knock_outs.copy()
    variants = ("events", "random_units", "random_places") if column == "events_next" else ("random_units",)
    place = (
        frame["variant"].isin(variants)
        & (frame["layer"] == frame["layer"].max())
        & (frame["seq_id"] == frame["seq_id"][0])
    )
    frame.loc[place, column] += 1
    assert judged(stage, replace(good, knock_outs=frame))[gate][0] is Verdict.FAIL


def test_disturbances_that_are_not_small_fail_their_gate(stage):
    good = counted(tables.chosen_raster(stage), GRID)
    wide = good.stability.assign(log_growth=good.stability["log_growth"] + 0.02 * good.stability["is_wide"])
    assert judged(stage, replace(good, stability=wide))["disturbances are small"][0] is Verdict.FAIL


def test_a_layer_without_events_is_not_available_and_the_others_are(stage):
    raster = tables.chosen_raster(stage)
    n_layers = raster.counts.shape[2]
    sums = [sums_of(counts) for counts in raster.counts]
    for each in sums:
        for name in ("out", "lost_next", "new_next"):
            getattr(each, name)[..., 0] = 0
    frame = counted_files.knock_out_frame(sums, list(raster.conditions), raster.seq_id)
    found = tabulated(stage, replace(counted(raster, GRID), knock_outs=frame))
    for summary in found.summaries.values():
        assert "no event was put out" in summary.by_layer[0].reason
        assert all(not each.reason for each in summary.by_layer[1:])
    assert found.t10["sigma_depth"].isna().all() == (n_layers == 2)


def test_conditions_without_any_event_say_so_down_to_the_verdict(stage):
    raster = tables.chosen_raster(stage)
    nothing = [KnockOutSums.zeros(sums_of(counts).shape) for counts in raster.counts]
    frame = counted_files.knock_out_frame(nothing, list(raster.conditions), raster.seq_id)
    empty = replace(counted(raster, GRID), knock_outs=frame)
    t10 = tabulated(stage, empty).t10
    assert t10["sigma_depth"].isna().all()
    assert t10["reason"].str.contains("no event was put out").all()
    assert judged(stage, empty)["events put out in every condition"][0] is Verdict.FAIL
    assert {each.reason for each in knock_outs(t10).values()} == set(t10["reason"])


def test_a_model_that_gives_nothing_leaves_tables_with_its_reason(stage):
    raster = tables.chosen_raster(stage)
    nothing = [KnockOutSums.zeros((len(raster.seq_id), 0))] * len(raster.conditions)
    growth = dict.fromkeys(GRID, (np.zeros((len(raster.seq_id), 1, 0)), np.zeros((len(raster.seq_id), 0))))
    none = counted_files.Counted(
        counted_files.knock_out_frame(nothing, list(raster.conditions), raster.seq_id),
        counted_files.stability_frame(growth, raster.seq_id),
        "blocks hand on more than the stream",
    )
    found = tabulated(stage, none)
    assert set(found.t10["reason"]) == set(found.t10["lyapunov_reason"]) == {none.reason}
    assert found.t10["b_depth"].notna().all()
    assert all(each == (Verdict.NOT_AVAILABLE, none.reason) for each in judged(stage, none).values())
    assert none.reason in views.findings(found)
    for shown in (views.knock_out_table, views.share_table):
        assert set(shown(found.t10)["not available"]) == {none.reason}


def test_only_a_rerun_that_differs_is_no_knock_out_and_other_faults_of_a_model_end_the_stage(stage, monkeypatch):
    said = iter([RerunError("layer 1: not repeatable"), ModelError("too little memory")])

    def fails(*_):
        raise next(said)

    monkeypatch.setattr(work, "_perturbed", fails)
    monkeypatch.setattr(type(stage), "slice", lambda *_: SimpleNamespace(tokens=np.zeros((4, 8), dtype=np.int64)))
    assert work._count(stage).reason == "layer 1: not repeatable"
    with pytest.raises(ModelError, match="too little memory"):
        work._count(stage)


def test_one_window_has_values_and_no_intervals(stage, monkeypatch):
    raster = tables.chosen_raster(stage)
    one = tables.Raster(raster.counts[:, :1], raster.conditions, raster.seq_id[:1])
    monkeypatch.setattr(tables, "chosen_raster", lambda _: one)
    t10 = tabulated(stage, counted(one, GRID)).t10
    assert t10["sigma_depth"].notna().all()
    assert t10[["sigma_depth_ci_low", "delta_b_depth_ci_low", "lyapunov_ci_low"]].isna().all(axis=None)
    assert set(t10["reason"]) == set(t10["lyapunov_reason"]) == {"one window: no interval"}


def test_where_gstar_is_one_both_rows_are_one_condition(stage, monkeypatch):
    gstar = dict.fromkeys(itertools.product(map(str, SpikeDef), RATES), 1.0)
    monkeypatch.setattr(tables, "load_gstar", lambda _: gstar)
    raster = tables.chosen_raster(stage)
    assert [condition.gain for condition in raster.conditions] == [1.0] * 4
    t10 = tabulated(stage, counted(raster, GRID)).t10.drop(columns="g_condition")
    pd.testing.assert_frame_equal(t10.iloc[::2].reset_index(drop=True), t10.iloc[1::2].reset_index(drop=True))


def test_its_replay_writes_the_same_bytes_and_judges_the_same_gates(runs):
    run = runs[Stage.S04K]
    again = replay(run, works()[Stage.S04K])
    assert {path for path in again.files if T10.name in path} == {path for path in run.artifacts if T10.name in path}
    assert all((run.path / path).read_bytes() == data for path, data in again.files.items())
    assert again.metrics == run.record.metrics
