"""Processors that may be used: those of the affinity mask and of the quota, whatever the machine has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from critnb.canon import PACK_ROOT
from critnb.pipeline.kernel import environment
from critnb.runs import environment_facts
from critnb.system import cores

ON_ONE = """
import os, threading, time
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
from critnb.engine.local import map_in_processes, map_shards
from critnb.system.cores import available_cores, threads_of_quota

def thread(_):
    time.sleep(0.05)
    return threading.get_ident()

def process(_):
    time.sleep(0.05)
    return os.getpid()

print(available_cores(), threads_of_quota({}))
print(len(set(map_shards(thread, range(6)))), set(map_in_processes(process, range(6))) == {os.getpid()})
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_held_to_one_processor_starts_one_thread_and_no_process():
    environment = {name: value for name, value in os.environ.items() if name != "LOKY_MAX_CPU_COUNT"}
    command = [sys.executable, "-c", ON_ONE]
    done = subprocess.run(command, cwd=PACK_ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["1 {}", "1 True"]


@pytest.fixture
def quota(monkeypatch):
    """A container on a machine of 64 processors whose time is that of 3 of them."""
    monkeypatch.setattr("joblib.externals.loky.backend.context._cpu_count_cgroup", lambda _: 3)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_a_quota_holds_for_threads_of_ours_and_of_numeric_libraries(quota, tmp_path):
    assert cores.available_cores() == 3
    assert environment(tmp_path, {})["OMP_NUM_THREADS"] == "3"
    facts = environment_facts()
    assert (facts["cpu_count"], facts["cpus_allowed"], facts["threads"]) == (64, 3, {"OMP_NUM_THREADS": "3"})


def test_a_number_of_threads_that_the_user_gives_is_theirs(quota, tmp_path):
    assert environment(tmp_path, {"OMP_NUM_THREADS": "7"})["OMP_NUM_THREADS"] == "7"


def test_without_a_quota_nothing_is_set(monkeypatch):
    monkeypatch.setattr("joblib.externals.loky.backend.context._cpu_count_cgroup", lambda count: count)
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    assert cores.threads_of_quota({}) == {}
