"""What each of several stages gets of the machine."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from critnb.contract import STAGES
from critnb.engine import local
from critnb.pipeline import sharing
from critnb.pipeline.options import RunOptions
from critnb.pipeline.sharing import number_of_jobs, one_at_a_time, thread_variables
from critnb.system import gpu

GIGABYTE = 10**9


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 8 cores, 64 GB and no device but its processor."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sharing, "available_cores", lambda: 8)
    monkeypatch.setattr(sharing, "_available_memory", lambda: 64 * GIGABYTE)
    monkeypatch.setattr(gpu, "DRIVERS", ())
    monkeypatch.setattr(sharing.sys, "platform", "linux")


def runs(n: int, *, model_bytes: int = 0):
    """Runs that need nothing of each other."""
    upstream = SimpleNamespace(upstream={})
    return [
        SimpleNamespace(run_id=str(each), inputs=upstream, model_bytes=model_bytes, spec=STAGES[each])
        for each in range(n)
    ]


def test_as_many_as_cores_memory_and_work_are_for(monkeypatch):
    options = RunOptions()
    assert number_of_jobs(runs(9), options) == 4
    assert number_of_jobs(runs(3), options) == 3
    assert number_of_jobs([], options) == 1
    assert number_of_jobs(runs(9, model_bytes=15 * GIGABYTE), options) == 2
    assert number_of_jobs(runs(9, model_bytes=500 * GIGABYTE), options) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert number_of_jobs(runs(9), options) == 2
    monkeypatch.setattr(sharing, "available_cores", lambda: 1)
    assert number_of_jobs(runs(9), options) == 1


def test_what_the_user_asks_for_counts_but_for_what_cannot_be_at_work_together(monkeypatch):
    monkeypatch.setattr(sharing, "available_cores", lambda: 1)
    assert number_of_jobs(runs(9), RunOptions(jobs=7)) == 7
    assert number_of_jobs(runs(2), RunOptions(jobs=7)) == 2


def test_threads_are_divided_and_what_the_user_has_set_stays(monkeypatch):
    assert thread_variables(1) == {}
    assert thread_variables(3) == dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "2")
    assert set(thread_variables(100).values()) == {"1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert "OMP_NUM_THREADS" not in thread_variables(3)


def test_the_engine_starts_as_many_workers_as_a_kernel_may(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert len(set(local.map_shards(lambda _: threading.get_ident(), range(8)))) == 1
    assert local.map_in_processes(lambda _: os.getpid(), [1, 2]) == [os.getpid()] * 2


def test_stages_with_a_model_have_a_device_one_after_the_other(monkeypatch):
    options, planned = RunOptions(), runs(len(STAGES))
    with_model = [run.run_id for run in planned if run.spec.uses_model]
    assert one_at_a_time(planned, options) == one_at_a_time(planned, replace(options, device="cpu")) == []
    assert one_at_a_time(planned, replace(options, device="cuda:1")) == with_model
    monkeypatch.setattr(gpu, "DRIVERS", ("/",))
    assert one_at_a_time(planned, options) == with_model
    assert one_at_a_time(planned, replace(options, device="cpu")) == []


def test_the_memory_of_a_container_is_that_of_its_group_in_either_version(tmp_path, monkeypatch):
    second, first = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"
    monkeypatch.setattr(sharing, "_LIMITS_OF_GROUPS", (second, first))
    assert sharing._limit_of_group() is None
    first.write_text("3000000000\n")
    assert sharing._limit_of_group() == 3 * GIGABYTE
    second.write_text("max\n")
    assert sharing._limit_of_group() == 3 * GIGABYTE
    second.write_text("2000000000\n")
    assert sharing._limit_of_group() == 2 * GIGABYTE
