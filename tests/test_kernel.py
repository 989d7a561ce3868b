"""The kernel of a stage's notebook: what reaches it of a user's settings, and what is said when it does not live."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from critnb.canon import PACK_ROOT, SPEC_DIR
from critnb.pipeline.kernel import PASSED, KernelEnd, environment
from critnb.system.failures import limit_reached

OF_A_USER = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "HF_HOME": "/data/hf",
    "HF_HUB_OFFLINE": "1",
    "https_proxy": "http://proxy:3128",
    "CUDA_VISIBLE_DEVICES": "2",
    "OMP_NUM_THREADS": "3",
    # of these none may get through as it is
    "IPYTHONDIR": "/proc/nowhere",
    "JUPYTER_CONFIG_DIR": "/home/me/.jupyter",
    "MATPLOTLIBRC": "/home/me/matplotlibrc",
    "MPLBACKEND": "qtagg",
    "PYTHONSTARTUP": "/home/me/startup.py",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONHASHSEED": "7",
    "PYTHONIOENCODING": "ascii",
    "LC_ALL": "de_DE.UTF-8",
    "LANG": "de_DE.UTF-8",
    "TZ": "Asia/Kathmandu",
    "COLUMNS": "20",
    "NO_COLOR": "1",
    "TORCH_LOGS": "+all",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "NVIDIA_TF32_OVERRIDE": "1",
    "USE_HUB_KERNELS": "1",
    "HF_DEBUG": "1",
}
PASSES = ("PATH", "HOME", "HF_HOME", "HF_HUB_OFFLINE", "https_proxy", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


def test_only_places_network_devices_and_threads_pass(tmp_path):
    made = environment(tmp_path, OF_A_USER)
    assert {name: value for name, value in made.items() if OF_A_USER.get(name) == value} == {
        name: OF_A_USER[name] for name in PASSES
    }
    assert made == {**environment(tmp_path, {}), **{name: OF_A_USER[name] for name in PASSES}}


def test_threads_that_wait_sleep_unless_the_user_says_otherwise(tmp_path):
    assert environment(tmp_path, {})["OMP_WAIT_POLICY"] == "passive"
    assert environment(tmp_path, {"OMP_WAIT_POLICY": "active"})["OMP_WAIT_POLICY"] == "active"


def test_the_page_on_runs_names_what_passes():
    page = (SPEC_DIR / "14_RUN_RECORD.md").read_text(encoding="utf-8")
    table = page.split("| group | variables |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`([^`]+)`", table)) == sorted([*PASSED, "PYTHONPATH"])


def test_profiles_are_private_and_there(tmp_path):
    made = environment(tmp_path, OF_A_USER)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR", "TMPDIR"):
        assert Path(made[name]).is_dir()
        assert Path(made[name]).is_relative_to(tmp_path)
        assert list(Path(made[name]).iterdir()) == []


def test_packages_are_found_where_this_process_finds_them(tmp_path, monkeypatch):
    """The kernel works in another folder, so relative places would be others there; the pack's own code comes first."""
    monkeypatch.chdir(tmp_path)
    made = environment(tmp_path, {"PYTHONPATH": os.pathsep.join(["modules", "", "/opt/site"])})
    assert made["PYTHONPATH"].split(os.pathsep) == [str(PACK_ROOT), str(tmp_path / "modules"), "/opt/site"]


@pytest.mark.parametrize(
    ("code", "stderr", "words"),
    [
        (-signal.SIGKILL, "", "died, killed by SIGKILL; it may have run out of memory"),
        (
            -signal.SIGSEGV,
            "Fatal Python error: Segmentation fault\n",
            "died of SIGSEGV: Fatal Python error: Segmentation fault",
        ),
        (-signal.SIGABRT, "terminate called ... 'std::bad_alloc'\n", "died of SIGABRT: too little memory"),
        (1, "Traceback\n  File x\nMemoryError\n", "died with code 1 (MemoryError): too little memory"),
        (1, "OSError: [Errno 24] Too many open files\n", "raise the limit, as by `ulimit -n 1024`"),
        (1, "RuntimeError: can't start new thread\n", "`ulimit -u`"),
        (3, "", "died with code 3; it may have run out of memory"),
        (None, "", "died; it may have run out of memory"),
        (1, "zmq.error.ZMQError: \x1b[31mforged\n", "died with code 1: zmq.error.ZMQError:  [31mforged"),
    ],
)
def test_a_kernel_that_ended_is_said_to_have_ended_so(tmp_path, code, stderr, words):
    (tmp_path / "err").write_text(stderr)
    said = KernelEnd(tmp_path / "err", code=code).described()
    assert said.endswith(words) or words in said
    assert "\n" not in said
    assert said.isprintable()


def test_only_what_happens_before_the_kernel_answers_is_a_kernel_not_started(tmp_path):
    end = KernelEnd(tmp_path / "none")
    full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert "had not begun" in (end.why_not_started(RuntimeError("Kernel died before replying to kernel_info")) or "")
    late = end.why_not_started(RuntimeError("Kernel didn't respond in 180 seconds"))
    assert "within 180 s" in (late or "")
    assert "compute.kernel_start_timeout" in (late or "")
    assert "ulimit -n" in (end.why_not_started(full) or "")
    assert end.why_not_started(ValueError("anything else")) is None
    end.begin(notebook=None)
    assert end.why_not_started(full) is None


def test_a_limit_is_found_behind_other_exceptions():
    outer = ValueError("cannot read")
    outer.__cause__ = MemoryError()
    assert "too little memory" in (limit_reached(outer) or "")
    assert limit_reached(ImportError("lib.so: failed to map segment from shared object")) is not None
    assert limit_reached(BlockingIOError(errno.EAGAIN, "no")) is not None
    assert limit_reached(FileNotFoundError(errno.ENOENT, "no")) is None
    assert limit_reached(KeyError("MemoryError")) is None


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from critnb.system.failures import too_few_files
print(too_few_files())
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "said"),
    [
        (40, 40, "40 open files are allowed, and a stage needs 128; raise the limit, as by `ulimit -n 1024`\n(40, 40)"),
        (40, 500, "None\n(500, 500)"),
        (40, 2000, "None\n(1024, 2000)"),
        (1500, 2000, "None\n(1500, 2000)"),
    ],
)
def test_open_files_are_allowed_as_far_as_they_may(soft, hard, said):
    command = [sys.executable, "-c", LIMITED.format(soft=soft, hard=hard)]
    done = subprocess.run(command, cwd=PACK_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said
