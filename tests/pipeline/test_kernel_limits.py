"""A stage whose notebook gets no kernel: one line, exit code 1, and nothing left behind."""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from critnb.canon import PACK_ROOT, Exit
from critnb.cli.command_line import main


@pytest.fixture(autouse=True)
def forked() -> None:
    """Kernels are processes of their own here: how they start is the point."""


@pytest.fixture
def ask(inputs, tmp_path, capsys, monkeypatch):
    def run(interpreter: str, *values: str) -> tuple[int, list[str]]:
        """Run S01 with this shell script in the interpreter's place."""
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{interpreter}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(sys, "executable", str(program))
        words = ["phase1", "--params", str(inputs / "params.yaml"), "--runs-dir", str(tmp_path / "runs"), "-q"]
        code = main([*words, *(f"--set={value}" for value in values)])
        return code, capsys.readouterr().err.splitlines()

    return run


def left(runs: Path) -> list[Path]:
    return list(runs.glob("RUN_*"))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'MemoryError' >&2; exit 1", "died with code 1 (MemoryError): too little memory"),
        ("echo 'ImportError: no module' >&2; exit 1", "died with code 1: ImportError: no module"),
        ("kill -9 $$", "died, killed by SIGKILL; it may have run out of memory"),
    ],
)
def test_a_kernel_that_dies_at_its_start(ask, tmp_path, script, said):
    code, lines = ask(script)
    assert (code, len(lines)) == (Exit.STAGE_FAILED, 1)
    assert lines[0].startswith(f"error: S01: the notebook's kernel {said}")
    assert left(tmp_path / "runs") == []


def test_a_temporary_directory_without_room(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    code, lines = ask("exit 1")
    assert (code, len(lines)) == (Exit.BAD_INPUT, 1)
    assert lines[0].startswith(f"error: {tmp_path / 'gone'}")
    assert "TMPDIR" in lines[0]
    assert left(tmp_path / "runs") == []


def test_a_kernel_that_does_not_answer_in_time(ask, tmp_path):
    code, lines = ask("exec sleep 60", "compute.kernel_start_timeout=1")
    assert code == Exit.STAGE_FAILED
    assert lines == [
        "error: S01: the notebook's kernel did not start within 1 s; "
        "where the machine is busy or its disks are slow, raise compute.kernel_start_timeout"
    ]
    assert left(tmp_path / "runs") == []


def test_a_kernel_that_is_not_there_when_the_stage_s_time_is_over(ask, tmp_path):
    code, lines = ask("exec sleep 60", "compute.timeout=1")
    assert code == Exit.STAGE_FAILED
    assert lines == ["error: S01: ended after 1 s, as compute.timeout says; raise it and continue with --allow-resume"]
    assert left(tmp_path / "runs") == []


def _no_processes() -> None:
    """Let this process, about to become another program, start nothing: root is held to no such limit, its own user is."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (_SYS_RESOURCE, _SYS_ADMIN):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setresuid(54321, 0, 0)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))


_PR_CAPBSET_DROP, _SYS_ADMIN, _SYS_RESOURCE = 24, 21, 24
TRY_A_THREAD = "import threading; threading.Thread(target=int).start()"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other systems are others")
@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (_few_files, ["60 open files are allowed, and a stage needs 128", "`ulimit -n 1024`"]),
        (_no_processes, ["no further process or thread may be started", "`ulimit -u`"]),
    ],
)
@pytest.mark.parametrize("word", ["phase1", pytest.param("all", marks=pytest.mark.slow)])
def test_a_command_that_may_not_have_enough_says_of_what(inputs, tmp_path, word, limit, words):
    """As a user's shell or a scheduler limits it; one line, and no run that would have to be continued."""
    unlimited = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    options = {"preexec_fn": limit, "capture_output": True, "text": True, "cwd": PACK_ROOT}
    environment = {**os.environ, **unlimited}
    if limit is _no_processes and not subprocess.run([sys.executable, "-c", TRY_A_THREAD], **options).returncode:
        pytest.skip("processes are not limited here")
    command = [
        sys.executable,
        "runner.py",
        word,
        "--params",
        inputs / "params.yaml",
        "--runs-dir",
        tmp_path / "runs",
        "-q",
    ]
    done = subprocess.run(list(map(str, command)), env=environment, timeout=120, **options)
    said = [line for line in done.stderr.splitlines() if not line.startswith("<jemalloc>")]
    assert (done.returncode, len(said)) == (Exit.STAGE_FAILED, 1), done.stderr
    assert said[0].startswith("error: ")
    assert all(each in said[0] for each in words)
    assert left(tmp_path / "runs") == []
