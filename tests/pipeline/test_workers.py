"""Every stage made again in another folder, one at a time, its shards on two workers: the same runs, by id and byte."""

from __future__ import annotations

from pipeline.test_pipeline import digests

from critnb.canon import Stage
from critnb.contract import STAGES
from critnb.runs import RunStore


def test_two_workers_make_the_runs_of_one_process(run_stages, whole, tmp_path):
    """Two stages at once made those; nbval makes every stage once more, by hand."""
    done = run_stages("phase7", tmp_path, "--engine", "dask", "--workers", "2", "--jobs", "1", timeout=900)
    assert done.returncode == 0, done.stderr
    one, two = ({run.stage: run for run in RunStore(folder).runs()} for folder in (whole, tmp_path))
    assert set(two) == {spec.id for spec in STAGES} - {Stage.S08}
    for stage, run in two.items():
        assert run.run_id == one[stage].run_id
        assert len(digests(tmp_path, f"{stage}_")) >= 3
        assert digests(tmp_path, f"{stage}_") == digests(whole, f"{stage}_"), stage
        assert run.record.forward_windows == one[stage].record.forward_windows
        assert (one[stage].record.environment or {})["engine"] == {"name": "local"}
    worked = [(run.record.environment or {})["engine"] for run in two.values() if run.record.forward_windows]
    assert all(engine["name"] == "dask" and engine["retries"] == 0 for engine in worked)
    workers = {(each["host"], each["process"]) for engine in worked for each in engine["workers"]}
    # the same ones for all stages, and no others
    assert len(workers) == 2
