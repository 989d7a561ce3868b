"""Every stage with its shards on two workers: the runs of one process, by id and byte."""

from __future__ import annotations

from pathlib import Path

from critnb.runs import Run, RunStore

_LEFT_OUT = ("notebook", "logs")


def files(run: Run) -> dict[str, str]:
    """The digest of every file but those that hold times."""
    return {
        path: artifact.sha256 for path, artifact in run.artifacts.items() if path.partition("/")[0] not in _LEFT_OUT
    }


def test_two_workers_make_the_runs_of_one_process(run_stages, whole, tmp_path):
    done = run_stages("phase7", tmp_path, "--engine", "dask", "--workers", "2", timeout=900)
    assert done.returncode == 0, done.stderr
    one, two = ({run.run_id: run for run in RunStore(Path(folder)).runs()} for folder in (whole, tmp_path))
    assert len(two) == len(one) - 1  # the release
    for run_id, run in two.items():
        assert files(run) == files(one[run_id]), run_id
        assert run.record.forward_windows == one[run_id].record.forward_windows
        assert (one[run_id].record.environment or {})["engine"] == {"name": "local"}
    worked = [(run.record.environment or {})["engine"] for run in two.values() if run.record.forward_windows]
    assert all(engine["name"] == "dask" and engine["retries"] == 0 for engine in worked)
    workers = {(each["host"], each["process"]) for engine in worked for each in engine["workers"]}
    # the same ones for all stages, and no others
    assert len(workers) == 2
