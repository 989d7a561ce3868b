"""S06B as a user runs it: nothing fitted again, one pass per gain, and numbers that its own artifacts and the model give."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from models import loaded_from
from pipeline.test_pipeline import digests, result, run_of, start, wait_for  # noqa: F401 (start is a fixture)

from critnb import data
from critnb.canon import CANON, DatasetRole, GCondition, Intervention, SliceRole, Stage
from critnb.contract import spec_of
from critnb.criticality import branching_sums, multinomial_weights
from critnb.criticality.carried import MEASURES
from critnb.model.windows import corpus_windows, pick
from critnb.params import load
from critnb.report.tables import load_table
from critnb.stages.s06b_generalize.tables import IDENTICAL

COMMAND = spec_of(Stage.S06B).command
N = 20
KEYS = ["intervention_id", "gain", "spike_def_id", "target_rate", "layer"]


@pytest.fixture(scope="module")
def run(whole):
    return run_of(whole, Stage.S06B)


@pytest.fixture(scope="module")
def t02(run):
    return load_table(run, CANON.TABLE.T02_GENERALIZATION)


@pytest.fixture(scope="module")
def gains(whole) -> list[float]:
    chosen = run_of(whole, Stage.S02B)
    choices = chosen.json(result(chosen, CANON.OUTPUT.GSTAR_JSON_BASENAME))["choices"]
    return sorted({1.0, *(choice["gstar"] for choice in choices)})


@pytest.fixture(scope="module")
def tokens(inputs):
    """The windows of B_eval, picked by hand, and the model that read them."""
    params = load(inputs / "params.yaml")
    model = loaded_from(inputs / "model")
    corpus = corpus_windows(data.documents(params, DatasetRole.B), model.tokenizer, 32)
    return model, pick(SliceRole.B_eval, corpus, params.params.windows)


def likelihoods(run, gain):
    frame = run.parquet(result(run, CANON.OUTPUT.WINDOW_LIKELIHOODS_PARQUET_BASENAME))
    return frame[frame["gain"] == gain]


def test_thresholds_are_those_that_were_fitted_on_a(whole, run):
    name = CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME
    fitted, used = (one.parquet(result(one, name)) for one in (run_of(whole, Stage.S02), run))
    joined = used.merge(fitted, on=KEYS, suffixes=("", "_a"), validate="1:1")
    assert len(joined) == len(used) > 0
    for column in ("tau", "target_events", "events", "achieved_rate", "ties"):
        assert (joined[column] == joined[f"{column}_a"]).all()


def test_gstar_is_the_one_that_was_chosen_on_a(whole, t02):
    chosen = run_of(whole, Stage.S02B)
    choices = chosen.json(result(chosen, CANON.OUTPUT.GSTAR_JSON_BASENAME))["choices"]
    rows = t02.set_index(["spike_def_id", "target_rate", "g_condition"])["g"]
    assert len(rows) == 2 * len(choices)
    for choice in choices:
        key = choice["spike_def_id"], choice["target_rate"]
        assert rows[(*key, GCondition.gstar)] == choice["gstar"]
        assert rows[(*key, GCondition.g1)] == 1.0


def test_one_forward_pass_a_gain_and_window(run, gains):
    assert run.record.forward_windows == len(gains) * N


def test_likelihoods_are_transformers_own_loss(run, tokens, gains):
    model, windows = tokens
    for gain in gains:
        kept = likelihoods(run, gain)
        assert np.array_equal(kept["seq_id"], windows.window_id)
        assert set(kept["n_tokens"]) == {31}
        hooks = [
            block.mlp.register_forward_hook(lambda _m, _a, output, gain=gain: output * gain)
            for block in model.causal.model.layers
        ]
        with torch.inference_mode():
            losses = [
                float(model.causal(input_ids=w, labels=w).loss) for w in torch.from_numpy(windows.tokens)[:, None]
            ]
        for hook in hooks:
            hook.remove()
        assert kept["nll_mean"].to_numpy() == pytest.approx(losses, rel=1e-5)


def test_t02_is_what_raster_and_likelihoods_give(run, t02):
    arrays = run.npz(result(run, CANON.OUTPUT.RASTER_NPZ_BASENAME))
    conditions = run.parquet(result(run, CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME))
    assert set(conditions["dataset_role"]) == set(t02["dataset_role"]) == {str(DatasetRole.B)}
    assert set(conditions["intervention_id"]) == {str(Intervention.MLP_GLOBAL)}
    place = conditions.set_index(["spike_def_id", "target_rate", "gain"])["cond_id"]
    for _, row in t02.iterrows():
        counts = arrays["A"][place[row["spike_def_id"], row["target_rate"], row["g"]]]
        assert row["b_tot"] == pytest.approx(float(branching_sums(counts).pooled().b_tot), abs=1e-12)
        assert row["opt_occupancy"] == pytest.approx((counts > 0).mean())
        assert row["opt_achieved_rate_mean"] == pytest.approx(counts.sum() / counts.size / 24)
        y = counts.astype(np.int64).sum(axis=(1, 2))
        assert row["chi"] == pytest.approx(y.var() / (y.mean() + CANON.CONST.CHI_EPS))
        nll = likelihoods(run, row["g"])["nll_mean"].mean()
        assert row[["nll_mean", "ppl"]].tolist() == pytest.approx([nll, np.exp(nll)])
        assert row["n_sequences"] == N


def test_differences_are_paired_or_exactly_zero(run, t02):
    weights = multinomial_weights(N, 50, CANON.CONST.BOOTSTRAP_SEED)
    chosen = t02[t02["g_condition"] == GCondition.gstar]
    first = likelihoods(run, 1.0)["nll_mean"].to_numpy()
    for _, row in chosen.iterrows():
        difference = likelihoods(run, row["g"])["nll_mean"].to_numpy() - first
        ends = np.percentile(weights @ difference / N, [2.5, 97.5])
        assert row["opt_nll_mean_vs_g1"] == pytest.approx(difference.mean(), abs=1e-12)
        assert row[["opt_nll_mean_vs_g1_ci_low", "opt_nll_mean_vs_g1_ci_high"]].tolist() == pytest.approx(
            ends, abs=1e-12
        )
        if row["g"] == 1.0:
            assert row["opt_vs_g1"] == IDENTICAL
            assert (row[[f"opt_{name}_vs_g1" for name in MEASURES]] == 0.0).all()


def test_metrics_have_one_row_a_condition_with_both_marks(run, gains):
    metrics = run.parquet(result(run, CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    conditions = run.parquet(result(run, CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME))
    assert metrics["cond_id"].tolist() == conditions["cond_id"].tolist()
    assert (metrics["is_g1"] | metrics["is_gstar"]).all()
    assert metrics["is_g1"].sum() == metrics["is_gstar"].sum() == 4
    assert set(metrics["gain"]) == set(gains)


@pytest.mark.slow
def test_killed_after_a_gain_it_resumes_to_the_same_bytes(whole, inputs, start, run_stages, tmp_path, gains):  # noqa: F811
    for stage in (Stage.S01, Stage.S02, Stage.S02B):
        shutil.copytree(run_of(whole, stage).path, tmp_path / run_of(whole, stage).run_id)
    process = start(COMMAND)
    wait_for(lambda: list(tmp_path.glob(f"*S06B_*.partial/{CANON.RUN_SUBDIR.CHECKPOINTS}/*")))
    process.kill()
    process.wait()
    if next(tmp_path.glob("*S06B_*.partial"), None) is None:
        pytest.skip("the stage was done before it could be killed")
    wait_for(lambda: run_stages(COMMAND, tmp_path, "--allow-resume").returncode == 0, seconds=120)
    assert digests(tmp_path, "S06B_") == digests(whole, "S06B_")
    assert run_of(tmp_path, Stage.S06B).record.forward_windows < len(gains) * N
