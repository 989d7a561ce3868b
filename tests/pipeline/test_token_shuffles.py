"""Shuffled tokens at matched rates in a run: counts, what S05 makes of them, and a stage that is killed half-way."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from pipeline.test_pipeline import digests, result, run_of, start, wait_for  # noqa: F401 (start is a fixture)

from critnb.canon import CANON, Stage
from critnb.contract import spec_of
from critnb.criticality.token_shuffles import TokenShuffles
from critnb.pipeline.artifacts import load_raster
from critnb.report.tables import load_table

COMMAND = spec_of(Stage.S04).command


@pytest.fixture(scope="module")
def shuffles(whole) -> TokenShuffles:
    run = run_of(whole, Stage.S04)
    return TokenShuffles.from_frame(run.parquet(result(run, CANON.OUTPUT.TOKEN_SHUFFLES_PARQUET_BASENAME)))


def test_every_condition_at_g1_and_g_star_is_shuffled_with_the_real_raster_s_events(whole, shuffles):
    """24 windows of 32 that the params ask for, 20 shuffles; ties apart as many events as S03 stored."""
    real = load_raster(run_of(whole, Stage.S03))
    metrics = run_of(whole, Stage.S03).parquet(result(run_of(whole, Stage.S03), CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    marked = metrics[(metrics["intervention_id"] == "MLP_GLOBAL") & (metrics["is_g1"] | metrics["is_gstar"])]
    ids = [real.conditions.index(condition) for condition in shuffles.conditions]
    assert sorted(ids) == marked["cond_id"].tolist()
    assert shuffles.sums.shape == (len(ids), 20, 24)
    np.testing.assert_array_equal(shuffles.seq_id, real.seq_id)
    wanted = real.counts[ids].sum(axis=(1, 2, 3), dtype=np.int64)
    np.testing.assert_array_equal(shuffles.events.sum(axis=2) + shuffles.missed, np.tile(wanted[:, None], 20))
    assert (shuffles.missed >= 0).all()
    assert shuffles.missed.mean() < 1  # ties of float32 are rare


def test_shuffles_differ_and_t01_has_their_mean(whole, shuffles):
    t01 = load_table(run_of(whole, Stage.S05), CANON.TABLE.T01_SUMMARY)
    excess = shuffles.excess
    assert (np.ptp(excess, axis=1) > 0).all()
    for row, condition in enumerate(shuffles.conditions):
        at = (t01["spike_def_id"] == condition.spike_def_id) & (t01["target_rate"] == condition.target_rate)
        (found,) = t01[at & (t01["g"] == condition.gain)].to_dict("records")
        assert found["opt_shuffles"] == 20
        assert found["opt_delta_b_tot_shuffles"] == pytest.approx(excess[row].mean(), abs=1e-12)
        real = found["b_tot"] - found["opt_b_tot_perm_expected"]  # all windows are shuffled
        assert found["opt_delta_b_tot_vs_shuffles"] == pytest.approx(real - excess[row].mean(), abs=1e-12)
    others = t01[~(t01["opt_is_g1"] | t01["opt_is_gstar"])]
    assert others["opt_shuffles"].isna().all()


@pytest.mark.slow
def test_killed_after_a_gain_it_resumes_to_the_same_bytes(whole, start, run_stages, tmp_path):  # noqa: F811
    for stage in (Stage.S01, Stage.S02, Stage.S02B, Stage.S03):
        shutil.copytree(run_of(whole, stage).path, tmp_path / run_of(whole, stage).run_id)
    process = start(COMMAND)
    wait_for(lambda: list(tmp_path.glob(f"*S04_*.partial/{CANON.RUN_SUBDIR.CHECKPOINTS}/shuffle_*")))
    process.kill()
    process.wait()
    if next(tmp_path.glob("*S04_*.partial"), None) is None:
        pytest.skip("the stage was done before it could be killed")
    wait_for(lambda: run_stages(COMMAND, tmp_path, "--allow-resume").returncode == 0, seconds=120)
    assert digests(tmp_path, "S04_") == digests(whole, "S04_")
    resumed = run_of(tmp_path, Stage.S04).record.forward_windows
    assert resumed < run_of(whole, Stage.S04).record.forward_windows
