"""Stages side by side as a user runs them: one whose kernel is killed, and a command that is interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from critnb.canon import CANON, PACK_ROOT, Exit, Stage, Status
from critnb.runs import RunState, RunStore
from critnb.runs.holders import Holder
from critnb.runs.locks import KERNEL_LOCK

pytestmark = pytest.mark.slow


@pytest.fixture
def two_roles(inputs, tmp_path) -> Path:
    """Params with both roles, whose S01 takes some seconds."""
    folder = shutil.copytree(inputs, tmp_path / "inputs")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["models"]["INSTRUCT"] = dict(params["models"]["BASE"])
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder / "params.yaml"


@pytest.fixture
def start(two_roles, tmp_path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start a command on both roles; what still runs at the end of the test is killed."""
    processes: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        words = [
            "phase2_gain_grid",
            "--role",
            "all",
            "--params",
            two_roles,
            "--runs-dir",
            tmp_path / "runs",
            "--jobs",
            "2",
        ]
        command = [sys.executable, str(PACK_ROOT / "runner.py"), *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, text=True, cwd=PACK_ROOT, **pipes))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def kernels_of(process: subprocess.Popen[str], runs: Path, n: int) -> dict[str, int]:
    """Wait until n stages are at work at once, and return their runs with each kernel; the first waits for the last."""
    deadline = time.monotonic() + 240
    halted: set[int] = set()
    while process.poll() is None and time.monotonic() < deadline:
        held = {lock.parent.name: Holder.read(lock) for lock in runs.glob(f"*.partial/{KERNEL_LOCK}")}
        # the runner looks at the lock before the kernel has it
        found = {name: by.pid for name, by in held.items() if by is not None and by.pid != process.pid}
        for pid in set(found.values()) - halted:
            os.kill(pid, signal.SIGSTOP)
            halted.add(pid)
        if len(found) == n:
            for pid in halted:
                os.kill(pid, signal.SIGCONT)
            return {name.removesuffix(CANON.PATH.PARTIAL_SUFFIX): pid for name, pid in found.items()}
        time.sleep(0.005)
    raise AssertionError(f"no {n} stages side by side")


def status_of(runs: Path, run_id: str) -> tuple[str, str]:
    record = json.loads((RunStore(runs).partial_path(run_id) / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    return record["stage_status"], record["error"]


def test_of_two_stages_the_one_goes_on_when_the_other_is_killed_and_nothing_more_is_begun(start, tmp_path):
    runs = tmp_path / "runs"
    process = start()
    (killed, pid), (other, waits) = sorted(kernels_of(process, runs, 2).items())
    # until the runner knows of the one, the other cannot end and be followed by its next stage
    os.kill(waits, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while status_of(runs, killed)[0] != Status.failed and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(waits, signal.SIGCONT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == Exit.STAGE_FAILED, err
    store = RunStore(runs)
    assert (store.state(killed), store.state(other)) == (RunState.partial, RunState.complete)
    assert status_of(runs, killed)[0] == Status.failed
    assert "SIGKILL" in status_of(runs, killed)[1]
    assert {run_id[:8] for run_id in store.ids()} == {f"RUN_{Stage.S01}_"}
    (line,) = out.splitlines()
    assert other in line
    assert "SIGKILL" in next(line for line in err.splitlines() if line.startswith("error: "))
    assert any(killed in line and "waiting for 1 at work" in line for line in err.splitlines())
    # what was kept is gone on with, the other is used as it is
    again = start()
    out, err = again.communicate(timeout=300)
    assert again.returncode == Exit.RUN_EXISTS
    assert f"{other}  reused" in err


def test_an_interruption_ends_every_stage_at_once_and_leaves_each_as_it_is(start, tmp_path):
    runs = tmp_path / "runs"
    process = start()
    found = kernels_of(process, runs, 2)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    out, err = process.communicate(timeout=120)
    # a kernel that is not ended goes on for longer than this
    assert time.monotonic() - started < 60
    assert process.returncode == Exit.INTERRUPTED, err
    assert err.splitlines()[-1] == "interrupted; continue with --allow-resume"
    assert out == ""
    deadline = time.monotonic() + 20  # whoever adopts the kernels of a server that is gone takes a moment to bury them
    while any(Path(f"/proc/{pid}").exists() for pid in found.values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in found.values() if Path(f"/proc/{pid}").exists()]
    for run_id in found:
        assert RunStore(runs).state(run_id) is RunState.partial
        assert status_of(runs, run_id) == (Status.failed, "interrupted")
    assert sorted(RunStore(runs).ids()) == sorted(found)
