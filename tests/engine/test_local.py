import os
import subprocess
import sys
import time
from functools import partial

import pytest

from critnb.engine import ENGINES, local
from critnb.engine.local import map_in_processes, map_shards
from critnb.params import Params

MAPS = [map_shards, map_in_processes]


def slow_square(x: int, *, unit: float = 0.0) -> int:
    time.sleep(unit * (7 - x))
    return x * x


def refuse(x: int) -> int:
    if x == 3:
        raise ZeroDivisionError(f"shard {x}")
    return x


def process_id(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


@pytest.mark.parametrize("mapped", MAPS)
def test_results_come_in_the_order_of_shards(mapped):
    done: list[int] = []
    assert mapped(partial(slow_square, unit=0.01), range(8), on_done=done.append, workers=2) == [
        x * x for x in range(8)
    ]
    assert done == [1] * 8


@pytest.mark.parametrize("mapped", MAPS)
@pytest.mark.parametrize("shards", [[], [5]])
def test_none_and_one(mapped, shards):
    assert mapped(slow_square, shards) == [x * x for x in shards]


@pytest.mark.parametrize("mapped", MAPS)
def test_an_error_of_a_shard_is_raised_as_it_is(mapped):
    with pytest.raises(ZeroDivisionError, match="shard 3"):
        mapped(refuse, range(6), workers=2)


def test_work_is_done_in_other_processes():
    found = set(map_in_processes(process_id, range(8), workers=2))
    assert len(found) == 2
    assert os.getpid() not in found


def busy(x: int) -> tuple[int, int]:
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    return x, os.getpid()


@pytest.mark.parametrize(("start", "elsewhere"), [(1e9, False), (0.0, True)])
def test_a_pool_takes_over_only_what_pays_for_starting_it(monkeypatch, start, elsewhere):
    monkeypatch.setattr(local, "_START_SECONDS", start)
    monkeypatch.setattr(local, "cpu_count", lambda: 2)
    done = []
    values, places = zip(*map_in_processes(busy, range(6), on_done=done.append), strict=True)
    assert values == tuple(range(6))
    assert done == [1] * 6
    assert set(places[:3]) == {os.getpid()}
    assert (os.getpid() not in places[3:]) == elsewhere


def threads(_: int) -> set[str | None]:
    return {os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def test_a_worker_has_one_thread_for_linear_algebra_on_any_machine():
    assert map_in_processes(threads, range(2), workers=2) == [{"1"}, {"1"}]


def test_one_worker_stays_in_this_process():
    assert set(map_in_processes(process_id, range(2), workers=1)) == {os.getpid()}


WORK = """
import os, time
from critnb.engine.local import map_in_processes

def work(x):
    print(os.getpid(), flush=True)
    time.sleep(60)

map_in_processes(work, range(2), workers=2)
"""


@pytest.mark.slow
def test_workers_end_with_a_killed_parent():
    command = [sys.executable, "-c", WORK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(alive(pid) for pid in workers)
        parent.kill()
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_params_name_the_engines_that_there_are():
    choices = Params.model_json_schema()["$defs"]["Compute"]["properties"]["engine"]
    assert set(choices.get("enum", [choices.get("const")])) == set(ENGINES)
