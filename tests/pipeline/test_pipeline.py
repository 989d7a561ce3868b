"""The stages as a user runs them: real kernels, a tiny real model."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import time
from pathlib import Path

import forks
import nbformat
import numpy as np
import pandas as pd
import pytest
from browser import Elements
from made import verify_chain

from critnb.canon import CANON, PACK_ROOT, Exit, Intervention, Stage
from critnb.contract import STAGES, named, spec_of, upstream_closure
from critnb.errors import DataError
from critnb.pipeline import artifacts
from critnb.review.index import facts_of, render
from critnb.runs import RunStore

REPRODUCIBLE = (CANON.RUN_SUBDIR.RESULTS, CANON.RUN_SUBDIR.TABLES, CANON.RUN_SUBDIR.FIGS, CANON.RUN_SUBDIR.NOTEBOOK)


def timeless(path: Path) -> bytes:
    """What a file holds; of a page, but for the minute in its head at which its run was made."""
    data = path.read_bytes()
    return re.sub(rb"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC", b"", data, count=1) if path.suffix == ".html" else data


def digests(runs: Path, only: str = "") -> dict[str, str]:
    """sha256 of every file that must be the same bytes each time."""
    return {
        path.relative_to(runs).as_posix(): hashlib.sha256(timeless(path)).hexdigest()
        for path in sorted(runs.glob(f"RUN_{only}*/**/*"))
        if path.is_file() and path.relative_to(runs).parts[1] in REPRODUCIBLE
    }


def run_of(runs: Path, stage: Stage):
    return RunStore(runs).runs(stage)[0]


def result(run, basename):
    return run.result(basename)


def test_the_page_of_the_folder_is_as_new_as_its_last_run(whole):
    store = RunStore(whole)
    page = (whole / CANON.OUTPUT.INDEX_HTML_BASENAME).read_bytes()
    assert page == render(facts_of(store))
    targets = [target for target in Elements(page.decode()).targets() if not target.startswith("#")]
    assert len(Elements(page.decode()).of_class("run")) == len(STAGES)
    assert all((whole / target).is_file() for target in targets)


def test_every_stage_leaves_what_its_row_promises_and_verifies(whole):
    store = RunStore(whole)
    for spec in STAGES:
        run = run_of(whole, spec.id)
        assert set(spec.outputs) <= set(run.artifacts)
        assert all(findings == [] for findings in verify_chain(store, run.run_id).values())
    assert not list(whole.glob("*.partial"))


def test_a_second_time_there_is_nothing_to_do(whole, run_stages):
    before = digests(whole)
    done = run_stages("phase5", whole)
    assert done.returncode == Exit.DONE
    assert done.stdout == ""
    stages = [line.split()[0] for line in done.stderr.splitlines() if line.endswith("  reused")]
    assert stages == [spec.id for spec in upstream_closure(named("phase5"))]
    assert len(done.stderr.splitlines()) == len(stages)
    assert digests(whole) == before


def test_an_analysis_parameter_reruns_the_analysis_only(whole, run_stages):
    plan = run_stages("phase5", whole, "--set", "analysis.bootstrap_reps=60", "--dry-run")
    verdicts = {line.split()[0]: line.split("  ")[-1].split(":")[0] for line in plan.stdout.splitlines()}
    # g* carries bootstrap shares, so S02B and what rests on its run changes; calibration and the grid do not
    assert verdicts["S01"] == verdicts["S02"] == "reuse"
    adjacency = run_stages("phase5", whole, "--set", "analysis.adjacency=ADJ_8N", "--dry-run").stdout.splitlines()
    rerun = [line for line in adjacency if "  run: " in line]
    assert [line.split()[0] for line in rerun] == [Stage.S05]
    assert "analysis.adjacency" in rerun[0]


def test_thresholds_are_exact_order_statistics(whole):
    run = run_of(whole, Stage.S04)
    table = run.parquet(result(run, CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    # what makes tau the (k+1)-th largest value: at most k lie above it, more than k at or above it
    assert (table["events"] <= table["target_events"]).all()
    assert (table["events"] + table["ties"] > table["target_events"]).all()
    assert table["achieved_rate"].to_numpy() * (24 * 32 * 24) == pytest.approx(table["events"].to_numpy())
    assert set(table["intervention_id"]) == {Intervention.MLP_GLOBAL, Intervention.ATTN_GLOBAL}


def test_statistics_are_on_windows_that_no_threshold_saw(whole):
    calibration = run_of(whole, Stage.S02).npz(f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.RASTER_NPZ_BASENAME}")
    reported = run_of(whole, Stage.S03).npz(f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.RASTER_NPZ_BASENAME}")
    assert not np.intersect1d(calibration["seq_id"], reported["seq_id"]).size
    assert reported["A"].shape[1:] == (24, 3, 32)


def test_t01_says_what_the_rasters_hold(whole):
    run, rasters = run_of(whole, Stage.S05), run_of(whole, Stage.S03)
    table = run.parquet(f"{CANON.RUN_SUBDIR.TABLES}/{CANON.TABLE.T01_SUMMARY}.parquet")
    arrays = rasters.npz(result(rasters, CANON.OUTPUT.RASTER_NPZ_BASENAME))
    conditions = rasters.parquet(result(rasters, CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME))
    grid = conditions[conditions["intervention_id"] == Intervention.MLP_GLOBAL]
    assert len(table) == len(grid) == 2 * 2 * 3
    merged = table.merge(
        grid, left_on=["spike_def_id", "target_rate", "g"], right_on=["spike_def_id", "target_rate", "gain"]
    )
    for _, row in merged.iterrows():
        x = arrays["X"][row["cond_id"]].astype(np.int64)
        time = (x[:, :, :-1] * x[:, :, 1:]).sum() / x[:, :, :-1].sum()
        depth = (x[:, :-1] * x[:, 1:]).sum() / x[:, :-1].sum()
        assert row["b_tot"] == pytest.approx(time + depth, abs=1e-12)
        y = arrays["A"][row["cond_id"]].astype(np.int64).sum(axis=(1, 2))
        assert row["chi"] == pytest.approx(y.var() / (y.mean() + CANON.CONST.CHI_EPS))


def test_gstar_is_the_gain_whose_b_tot_is_closest_to_one(whole):
    metrics_run, gstar_run = run_of(whole, Stage.S02), run_of(whole, Stage.S02B)
    metrics = metrics_run.parquet(result(metrics_run, CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    choices = gstar_run.json(result(gstar_run, CANON.OUTPUT.GSTAR_JSON_BASENAME))
    for choice in choices["choices"]:
        same = metrics["spike_def_id"] == choice["spike_def_id"]
        rows = metrics[same & (metrics["target_rate"] == choice["target_rate"])]
        assert choice["gstar"] == rows.loc[(rows["b_tot"] - 1).abs().idxmin(), "gain"]
    recorded = metrics_run.artifacts[result(metrics_run, CANON.OUTPUT.METRICS_PARQUET_BASENAME)].sha256
    assert choices["computed_from"]["metrics_sha256"] == recorded


def test_forward_windows_are_as_few_as_can_be(whole):
    assert run_of(whole, Stage.S01).record.forward_windows == 2 * 24
    assert run_of(whole, Stage.S02).record.forward_windows == 3 * 24
    choices = run_of(whole, Stage.S02B).json(f"results/{CANON.OUTPUT.GSTAR_JSON_BASENAME}")["choices"]
    gstars = {choice["gstar"] for choice in choices}
    # the grid on A_raster, and for the one other intervention A_cal and A_raster at each chosen gain; at gain 1 it is the grid's
    passes = sum(1 if gain == 1 else 2 for gain in gstars)
    assert run_of(whole, Stage.S03).record.forward_windows == 24 * (3 + passes)


def test_kept_notebooks_have_outputs_but_no_times_and_no_machine_paths(whole, inputs):
    for spec in STAGES:
        run = run_of(whole, spec.id)
        text = (run.path / CANON.RUN_SUBDIR.NOTEBOOK / spec.notebook).read_text()
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        assert any(cell.get("outputs") for cell in notebook.cells)
        assert "papermill" not in notebook.metadata
        for trace in (str(whole), str(inputs), str(PACK_ROOT), "/tmp/", "start_time"):
            assert trace not in text
        page = (run.path / CANON.RUN_SUBDIR.NOTEBOOK / spec.notebook).with_suffix(".html").read_text()
        assert "http-equiv" in page
        assert 'src="http' not in page


def test_the_committed_notebooks_hold_no_outputs():
    for path in (PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR).glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), path.name


def test_events_of_a_run_tell_its_life_in_order(whole):
    run = run_of(whole, Stage.S02)
    lines = (run.path / CANON.RUN_SUBDIR.LOGS / CANON.OUTPUT.EVENTS_JSONL_BASENAME).read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert all(set(event) == {"ts_utc", "run_id", "event_type", "payload"} for event in events)
    kinds = [event["event_type"] for event in events]
    order = ["start", "config_resolved", "model_loaded", "dataset_loaded", "stage_complete", "end"]
    assert [kinds.index(kind) for kind in order] == sorted(kinds.index(kind) for kind in order)


GRID = spec_of(Stage.S02).command


@pytest.fixture
def start(inputs, tmp_path, tmp_path_factory):
    """Start a stage in the background; whatever still runs at the end of the test is killed."""
    programs = []

    def begin(word: str) -> forks.Program:
        command = [PACK_ROOT / "runner.py", word, "--params", inputs / "params.yaml", "--runs-dir", tmp_path]
        programs.append(forks.Program(command, tmp_path_factory.mktemp("streams")))
        return programs[-1]

    yield begin
    for program in programs:
        program.kill()
        program.wait()


def wait_for(condition, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("checkpoints", [0, 1, 2])
def test_a_killed_gain_grid_resumes_to_the_same_bytes(whole, start, run_stages, tmp_path, checkpoints):
    shutil.copytree(run_of(whole, Stage.S01).path, tmp_path / run_of(whole, Stage.S01).run_id)
    process = start(GRID)
    if checkpoints:
        written = f"*S02_*.partial/{CANON.RUN_SUBDIR.CHECKPOINTS}/*"
        wait_for(lambda: len(list(tmp_path.glob(written))) >= checkpoints)
    else:
        wait_for(lambda: list(tmp_path.glob("*S02_*.partial")))
    # as a power cut would: the runner is gone at once, its kernel notices and ends as well
    process.kill()
    process.wait()
    partial = next(tmp_path.glob("*S02_*.partial"), None)
    if partial is None:
        pytest.skip("the stage was done before it could be killed")
    assert run_stages(GRID, tmp_path).returncode == Exit.RUN_EXISTS
    wait_for(lambda: run_stages(GRID, tmp_path, "--allow-resume").returncode == 0, seconds=120)
    assert digests(tmp_path, "S02_") == digests(whole, "S02_")


@pytest.mark.slow
def test_ctrl_c_leaves_a_partial_run_that_says_so(start, tmp_path):
    process = start("phase1")
    wait_for(lambda: any("model_loaded" in log.read_text() for log in tmp_path.glob("*S01_*.partial/logs/*")))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == Exit.INTERRUPTED
    partial = next(tmp_path.glob("*.partial"))
    record = json.loads((partial / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    assert record["stage_status"] == "failed"
    assert "interrupted" in record["error"]


def test_metrics_mark_the_baseline_and_the_chosen_gain(whole):
    run = run_of(whole, Stage.S03)
    metrics: pd.DataFrame = run.parquet(result(run, CANON.OUTPUT.METRICS_PARQUET_BASENAME))
    baseline = metrics[metrics["is_g1"]]
    assert set(baseline["gain"]) == {1.0}
    assert len(baseline) == 4
    assert metrics[metrics["is_gstar"]].groupby(["spike_def_id", "target_rate", "intervention_id"]).size().eq(1).all()


def test_a_run_that_has_not_drawn_a_null_is_named(whole, monkeypatch):
    run = run_of(whole, Stage.S04)
    assert list(artifacts.load_samples(run)) == list(artifacts.RASTER_NULLS)
    monkeypatch.setattr(artifacts, "RASTER_NULLS", {**artifacts.RASTER_NULLS, "NULL_OF_A_LATER_PACK": None})
    with pytest.raises(
        DataError, match=f"{run.run_id}: it has no replicates of NULL_OF_A_LATER_PACK; run its stage again"
    ):
        artifacts.load_samples(run)
