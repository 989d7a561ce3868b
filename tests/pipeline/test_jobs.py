"""A stage as a scheduler runs it: asked to end, given too little time, started slowly, without room to start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from critnb.canon import CANON, PACK_ROOT, Exit, Stage
from critnb.cli.command_line import main
from critnb.contract import spec_of

CALIBRATE = "phase1"
SPEC = spec_of(Stage.S01)


@pytest.fixture
def start(inputs, tmp_path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a stage in a session of its own; whatever still runs at the end of the test is killed."""
    processes: list[subprocess.Popen[str]] = []

    def begin(word: str) -> subprocess.Popen[str]:
        words = [word, "--params", inputs / "params.yaml", "--runs-dir", tmp_path]
        command = [sys.executable, str(PACK_ROOT / "runner.py"), *map(str, words)]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, text=True, start_new_session=True, cwd=PACK_ROOT, **pipes))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.02)


def at_work(runs: Path) -> bool:
    """Whether a stage has gone so far that it holds a model."""
    return any("model_loaded" in log.read_text() for log in runs.glob("*.partial/logs/*"))


def record(runs: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((next(runs.glob("RUN_*")) / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    return found


def below(pid: int) -> list[int]:
    """The processes that one has started, and those that they have."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += [int(entry.name), *below(int(entry.name))] if parent == str(pid) else []
    return found


def told(process: subprocess.Popen[str]) -> list[str]:
    """The last lines that a process leaves on a terminal once it ends."""
    return process.communicate(timeout=60)[1].replace("\r", "\n").splitlines()


def end(process: subprocess.Popen[str], signalled: list[int]) -> str:
    """Ask processes of a stage to end, and return the runner's last line; checks what is left of it."""
    kernels = below(process.pid)
    for pid in signalled:
        os.kill(pid, signal.SIGTERM)
    last = told(process)[-1]
    assert process.returncode == Exit.INTERRUPTED
    # a server's kernels end with it, soon after its socket is closed
    wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in kernels), seconds=10)
    return last


@pytest.mark.slow
def test_a_stage_that_is_asked_to_end_says_so_and_goes_on_later(start, run_stages, tmp_path):
    process = start(CALIBRATE)
    wait_for(lambda: at_work(tmp_path))
    assert end(process, [process.pid]) == "ended by SIGTERM; continue with --allow-resume"
    assert (record(tmp_path)["stage_status"], record(tmp_path)["error"]) == ("failed", "ended by SIGTERM")
    # so that another machine of the same job may go on with it
    assert [lock.read_bytes() for lock in tmp_path.glob("*.partial/.*.lock")] == [b"", b"", b""]
    done = run_stages(CALIBRATE, tmp_path, "--allow-resume")
    assert done.returncode == 0, done.stderr
    assert record(tmp_path)["stage_status"] == "complete"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "with_runner"),
    [
        (CALIBRATE, False),
        # of several stages, whose kernels are forked from a server
        ("phase2", True),
    ],
)
def test_a_scheduler_may_signal_every_process_of_a_job(start, tmp_path, word, with_runner):
    process = start(word)
    wait_for(lambda: at_work(tmp_path))
    last = end(process, [*below(process.pid), *([process.pid] if with_runner else [])])
    assert last.endswith("ended by SIGTERM; continue with --allow-resume")
    assert str(record(tmp_path)["error"]).endswith("ended by SIGTERM")


def with_cell(source: str, pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stage's first cell behind the one that begins be another one, in a copy of its notebook."""
    folder = pack / CANON.PATH.NOTEBOOKS_DIR
    folder.mkdir()
    notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / SPEC.notebook, as_version=4)
    begins = next(at for at, cell in enumerate(notebook.cells) if "critnb.begin" in cell.source)
    notebook.cells.insert(begins + 1, nbformat.v4.new_code_cell(source))
    nbformat.write(notebook, folder / SPEC.notebook)
    monkeypatch.setattr("critnb.pipeline.notebook.PACK_ROOT", pack)
    monkeypatch.setattr(sys, "argv", ["runner.py"])


def failed(inputs: Path, runs: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The lines of a stage that fails in this process."""
    words = [CALIBRATE, "--params", str(inputs / "params.yaml"), "--runs-dir", str(runs), "-q", *options]
    assert main(words) == Exit.STAGE_FAILED
    return [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[IPKernelApp]")]


@pytest.mark.slow
def test_a_stage_that_takes_too_long_is_ended_and_goes_on_with_more_time(
    inputs, tmp_path, capsys, monkeypatch, run_stages
):
    with_cell("import os, time\nprint(os.getpid())\ntime.sleep(600)", tmp_path, monkeypatch)
    runs = tmp_path / "runs"
    lines = failed(inputs, runs, capsys, "--set=compute.timeout=20")
    assert lines[:3] == [
        "error: S01: ended after 20 s, as compute.timeout says; raise it and continue with --allow-resume",
        "in the cell:",
        "    import os, time",
    ]
    assert record(runs)["error"] == lines[0].removeprefix("error: ")
    kept = nbformat.read(lines[-1].strip(), as_version=4)
    kernel = next(int(each.text) for cell in kept.cells for each in cell.get("outputs", ()) if each.get("text"))
    assert not Path(f"/proc/{kernel}").exists()
    done = run_stages(CALIBRATE, runs, "--allow-resume", "--set", "compute.timeout=600")
    assert done.returncode == 0, done.stderr


# each asks for more than any machine has
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import torch\ntorch.empty(2**56)", "RuntimeError: can't allocate memory"),
        ("import numpy as np\nnp.empty(2**56)", "MemoryError: Unable to allocate"),
    ],
)
def test_too_little_memory_names_the_batch_that_would_do(inputs, tmp_path, capsys, monkeypatch, source, name):
    with_cell(source, tmp_path, monkeypatch)
    lines = failed(inputs, tmp_path / "runs", capsys, "--set=compute.batch_tokens=200")
    assert lines[0].startswith(f"error: S01 had too little memory: {name}")
    # of six windows of 32 tokens three
    assert lines[1] == (
        "with more memory --allow-resume goes on; "
        "compute.batch_tokens=96 instead of 200 takes about half for a batch and makes other runs"
    )
    assert lines[2] == "in the cell:"


@pytest.mark.slow
def test_too_few_files_for_a_cell(inputs, tmp_path, capsys, monkeypatch):
    opened = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n[open('/dev/null') for _ in range(300)]"
    with_cell(opened, tmp_path, monkeypatch)
    lines = failed(inputs, tmp_path / "runs", capsys)
    assert lines[0].startswith("error: S01 failed with OSError: [Errno 24] Too many open files")
    assert lines[1] == "too many open files for one process; raise the limit, as by `ulimit -n 1024`"


@pytest.mark.slow
def test_a_kernel_that_the_system_kills_may_have_needed_too_much(inputs, tmp_path, capsys, monkeypatch):
    with_cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", tmp_path, monkeypatch)
    lines = failed(inputs, tmp_path / "runs", capsys)
    assert lines[:3] == [
        "error: S01 failed with DeadKernelError: the notebook's kernel died, killed by SIGKILL; it may have run out of memory",
        "with more memory --allow-resume goes on; "
        "compute.batch_tokens=2048 instead of 4096 takes about half for a batch and makes other runs",
        "in the cell:",
    ]
