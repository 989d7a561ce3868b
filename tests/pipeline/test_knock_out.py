"""S04K run as a user runs it: killed and resumed; in bfloat16 with two layers where g* is 1; its base pass is S03's."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml
from models import save, tiny_llama
from pipeline.conftest import runner
from pipeline.test_pipeline import digests, run_of, start, wait_for  # noqa: F401

from critnb.canon import CANON, Stage
from critnb.contract import spec_of
from critnb.report.schema import T10
from critnb.report.tables import load_table

COMMAND = spec_of(Stage.S04K).command


def gates(run) -> dict[str, str]:
    return {gate["name"]: gate["verdict"] for gate in run.record.metrics["gates"]}


def test_the_base_pass_is_that_of_the_rasters_and_controls_are_as_many(whole):
    run, s03 = run_of(whole, Stage.S04K), run_of(whole, Stage.S03)
    assert set(gates(run).values()) == {"pass"}
    frame = run.parquet(run.result(CANON.OUTPUT.KNOCKOUTS_PARQUET_BASENAME))
    arrays = s03.npz(s03.result(CANON.OUTPUT.RASTER_NPZ_BASENAME))
    assert list(frame["seq_id"].unique()) == arrays["seq_id"][:2].tolist()
    conditions = s03.parquet(s03.result(CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME))
    keys = ["spike_def_id", "target_rate", "gain"]
    events = frame.pivot_table(index=[*keys, "layer"], columns="variant", values="out", aggfunc="sum")
    assert (events.nunique(axis=1) == 1).all()
    for key, of_condition in frame[frame["variant"] == "events"].groupby(keys):
        here = (conditions[keys] == list(key)).all(axis=1) & (conditions["intervention_id"] == "MLP_GLOBAL")
        counts = arrays["A"][conditions.loc[here, "cond_id"].item(), :2].sum(axis=-1)
        np.testing.assert_array_equal(of_condition["out"], counts[:, :-1].ravel())
        np.testing.assert_array_equal(of_condition["events_next"], counts[:, 1:].ravel())
    # one whole pass a gain, whatever is done with it; knock-outs are partial ones
    assert run.record.forward_windows == 2 * 3


def test_the_verdict_on_the_knock_out_is_t10s_at_gstar(whole):
    t10 = load_table(run_of(whole, Stage.S04K), T10.name)
    t08 = load_table(run_of(whole, Stage.S05), CANON.TABLE.T08_SIGNATURES)
    judged = t08[t08["criterion_id"] == "S6_KNOCK_OUT"].set_index(["spike_def_id", "target_rate"])
    for row in t10[t10["g_condition"] == "gstar"].itertuples():
        verdict = judged.loc[(row.spike_def_id, row.target_rate)]
        assert (verdict["g"], verdict["value"], verdict["ci_low"]) == (row.g, row.sigma_depth, row.sigma_depth_ci_low)
        assert verdict["opt_p"] == row.sigma_depth_p
        assert verdict["reason"] == "random signs of 2 windows can give no p below 0.250"


@pytest.mark.slow
def test_killed_after_a_gain_it_resumes_to_the_same_bytes(whole, start, run_stages, tmp_path):  # noqa: F811
    for stage in (Stage.S01, Stage.S02, Stage.S02B, Stage.S03):
        shutil.copytree(run_of(whole, stage).path, tmp_path / run_of(whole, stage).run_id)
    process = start(COMMAND)
    written = f"*S04K_*.partial/{CANON.RUN_SUBDIR.CHECKPOINTS}/*"
    wait_for(lambda: len(list(tmp_path.glob(written))) >= 2, seconds=120)
    process.kill()
    process.wait()
    if next(tmp_path.glob("*S04K_*.partial"), None) is None:
        pytest.skip("the stage was done before it could be killed")
    wait_for(lambda: run_stages(COMMAND, tmp_path, "--allow-resume").returncode == 0, seconds=180)
    run = run_of(tmp_path, Stage.S04K)
    assert "checkpoint_reused" in (run.path / CANON.RUN_SUBDIR.LOGS / CANON.OUTPUT.EVENTS_JSONL_BASENAME).read_text()
    assert digests(tmp_path, "S04K_") == digests(whole, "S04K_")


@pytest.mark.slow
def test_two_layers_in_bfloat16_at_one_gain(inputs, tmp_path):
    save(tmp_path / "model", tiny_llama(n_layers=2, width=16, units=24, context=64))
    shutil.copy(inputs / "corpus.txt", tmp_path)
    params = yaml.safe_load((inputs / "params.yaml").read_text())
    params["gain"] = {"grid": [1.0], "interventions": ["MLP_GLOBAL"]}
    params["compute"] = {"dtype": "bfloat16"}
    params["knock_outs"] = {"windows": 99, "directions": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    done = runner(COMMAND, "--params", tmp_path / "params.yaml", "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    run = run_of(tmp_path / "runs", Stage.S04K)
    t10 = load_table(run, T10.name)
    assert set(t10["g"]) == {1.0}
    # of more windows than there are, all are taken
    assert set(t10["n_sequences"]) == {24}
    assert t10["sigma_depth_ci_low"].notna().all()
    assert gates(run)["base pass gives the kept raster"] == gates(run)["controls put out as many"] == "pass"
