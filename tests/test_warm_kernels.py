"""Kernels forked from one server: what one stage does to its process reaches no other, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from kernel import text
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from critnb.canon import PACK_ROOT
from critnb.pipeline.kernel import kernel_manager
from critnb.pipeline.kernels import Kernels
from critnb.pipeline.limits import Limits
from critnb.pipeline.warm_kernels import WarmKernels

pytestmark = pytest.mark.skipif(not WarmKernels.are_possible(), reason="kernels are not forked on this system")
SPOIL = """
import os, random, sys, json
import numpy as np, pandas as pd, matplotlib as mpl
os.environ["SPOILT"] = "yes"; json.SPOILT = True; sys.modules["spoilt"] = json
np.random.seed(1); random.seed(1); pd.set_option("display.precision", 1); mpl.rcParams["font.size"] = 99
os.getpid()
"""
LOOK = """
import os, sys, json, tempfile
import pandas as pd, matplotlib as mpl
(os.environ.get("SPOILT"), hasattr(json, "SPOILT"), "spoilt" in sys.modules, pd.get_option("display.precision"),
 mpl.rcParams["font.size"] == mpl.rcParamsDefault["font.size"], os.getcwd(), os.environ["STAGE"], tempfile.gettempdir())
"""


@pytest.fixture(scope="module")
def warm():
    with WarmKernels([]) as kernels:
        yield kernels


def run(source: str, warm: WarmKernels, folder: Path) -> str:
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    manager, _ = kernel_manager(scratch, folder, {"STAGE": folder.name}, Kernels(warm))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = NotebookClient(notebook, kernel_manager_class=manager, shutdown_kernel="immediate")
    client.execute(env={})
    return text(notebook.cells[0].outputs)


def gone(pid: int, *, within: float = 20.0) -> bool:
    """Whether a process ends in time; one that has ended and was not waited for counts as gone."""
    for _ in range(int(within / 0.1)):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_stage_sees_nothing_of_the_stage_before_it(warm, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    pid = int(run(SPOIL, warm, first))
    found = run(LOOK, warm, second)
    expected = (None, False, False, 6, True, str(second), "second", str(second / "scratch/tmp"))
    assert found.replace("\n", "") == str(expected)
    assert gone(pid)


def test_a_kernel_that_is_killed_says_so(warm, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    manager, end = kernel_manager(scratch, tmp_path, {}, Kernels(warm))
    cell = nbformat.v4.new_code_cell("import os, sys; print('the end', file=sys.__stderr__); os.kill(os.getpid(), 9)")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    client = NotebookClient(notebook, kernel_manager_class=manager)
    with pytest.raises(DeadKernelError):
        client.execute(env={})
    assert end.code == -signal.SIGKILL
    assert "killed by SIGKILL" in end.described()
    assert end.stderr.is_file()


def test_without_its_server_a_kernel_is_a_new_process(tmp_path):
    with WarmKernels([]) as kernels:
        kernels._server.kill()
        kernels._server.wait()
        assert int(run("import os; os.getppid()", kernels, tmp_path / "stage")) == os.getpid()


HOLDER = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_warm_kernels import WarmKernels, run
if __name__ == "__main__":
    with WarmKernels([]) as kernels:
        print(kernels._server.pid, flush=True)
        run("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)", kernels, Path({folder!r}))
"""


def test_a_killed_runner_leaves_no_process(tmp_path):
    folder = tmp_path / "stage"
    code = HOLDER.format(tests=str(PACK_ROOT / "tests"), folder=str(folder))
    runner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert runner.stdout is not None
    server = int(runner.stdout.readline())
    while not (folder / "pid").is_file() or not (folder / "pid").read_text():
        time.sleep(0.1)
    kernel = int((folder / "pid").read_text())
    runner.kill()
    runner.wait()
    runner.stdout.close()
    assert gone(server)
    assert gone(kernel)


def test_a_server_that_imports_for_too_long_is_a_kernel_that_did_not_start(tmp_path, monkeypatch):
    (tmp_path / "cold_disk.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("critnb.pipeline.warm_kernels._ALWAYS", ("cold_disk",))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with WarmKernels([]) as kernels:
        manager, end = kernel_manager(scratch, tmp_path, {}, Kernels(kernels), limits=Limits(start=1))
        client = NotebookClient(nbformat.v4.new_notebook(), kernel_manager_class=manager, startup_timeout=1)
        with pytest.raises(RuntimeError, match="Kernel didn't respond") as raised:
            client.execute(env={})
    assert "within 1 s" in (end.why_not_started(raised.value) or "")
