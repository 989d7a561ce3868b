"""Shards on workers of dask.distributed: the bytes of a local run, and what becomes of workers that die, differ or raise."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from models import save, tiny_llama
from sharded import CountedPasses, Counting, square, two_batches

from critnb import data
from critnb.canon import PACK_ROOT, Exit, ModelRole
from critnb.canon.places import REGISTRY_FILE
from critnb.cli.command_line import main
from critnb.engine import dask_client, dask_engine, dask_worker, local
from critnb.engine.dask_client import address_of
from critnb.engine.dask_worker import Software
from critnb.errors import DependencyError, NonFiniteError, StageFailedError
from critnb.events.shards import MomentsOf
from critnb.model.elsewhere import ModelSource, PassesElsewhere, facts_here, of_source
from critnb.model.forward import Setting
from critnb.model.shards import Shard, spans
from critnb.params import Loaded, validate
from critnb.pipeline.options import RunOptions
from critnb.pipeline.workers import gpus_of, local_workers, number_of_workers

MODEL = {"BASE": {"source": "file", "path": "model"}}
TOKENS = np.random.default_rng(7).integers(0, 257, size=(12, 32))


@pytest.fixture(scope="module")
def address():
    """The scheduler of two workers that every test here shares; modules of tests are importable there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PACK_ROOT / "tests"))
        patch.setattr("critnb.pipeline.workers._HOLDER", "impatient_cluster")
        with local_workers(2) as address:
            yield address


@pytest.fixture(scope="module")
def shared_engine(address):
    engine = dask_engine(scheduler=address, name="RUN_TEST")
    yield engine
    engine.close()


@pytest.fixture
def engine(shared_engine):
    shared_engine._account = type(shared_engine._account)()
    return shared_engine


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save(folder / "model", tiny_llama())
    params = validate({"models": MODEL}, origin="here")
    loaded = Loaded(params, "here", folder)
    return ModelSource(loaded, ModelRole.BASE, "cpu", data.model_files(loaded, ModelRole.BASE).identity())


def passes_of(source, **more):
    return PassesElsewhere(source, batch_tokens=96, burn_in=3, **more)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_workers_give_the_bytes_of_a_local_run(engine, source, parts):
    shards = [Shard(Setting(), *span) for span in spans(12, batch=3, parts=parts)]
    passes, done = passes_of(source), []
    there = list(engine.iter_passes(MomentsOf(TOKENS), shards, passes=passes, on_done=done.append))
    here = list(local.iter_passes(MomentsOf(TOKENS), [Shard(Setting(), 0, 12)], passes=passes.here()))
    assert np.concatenate(there, axis=1).tobytes() == here[0].tobytes()
    assert passes.windows_run == sum(done) == 12
    assert len(engine.facts()["shards"]) == parts


def test_results_come_in_order_and_few_are_held(engine):
    done = []
    assert engine.map_shards(square, range(40), on_done=done.append) == [x * x for x in range(40)]
    assert done == [1] * 40
    facts = engine.facts()
    assert {each["worker"] for each in facts["shards"]} <= {0, 1}
    assert all(worker["host"] == socket.gethostname() for worker in facts["workers"])


def test_what_passes_report_is_heard_shard_by_shard(engine):
    passes, done = CountedPasses(), []
    assert list(engine.iter_passes(two_batches, range(3), passes=passes, on_done=done.append)) == [0, 1, 2]
    assert (done, passes.windows_run) == ([6, 6, 6], 18)


def test_a_shard_whose_worker_is_killed_is_given_to_another(engine, tmp_path):
    work = Counting(tmp_path, deadly=(2,), deaths=1)
    found = engine.map_shards(work, range(5))
    assert [len(each) for each in found] == [0, 1, 2, 3, 4]
    assert work.tries(2) == 2
    assert engine.facts()["retries"] >= 1
    # another worker has come for it, which stays
    engine._client.wait_for_workers(2, timeout=60)


@pytest.mark.slow
def test_a_shard_that_kills_every_worker_is_given_up(engine, tmp_path):
    work = Counting(tmp_path, deadly=(1,))
    with pytest.raises(StageFailedError, match=r"workers died 4 times at shard Counting/1\b.*\n.*fewer workers"):
        engine.map_shards(work, range(3))
    assert work.tries(1) == 4


def test_a_shard_that_raises_is_not_tried_again_and_the_first_one_is_told(engine, tmp_path):
    work = Counting(tmp_path, bad=(2, 3))
    with pytest.raises(NonFiniteError, match=r"^shard 2 is not finite$"):
        engine.map_shards(work, range(8))
    assert work.tries(2) == 1


def test_a_worker_without_the_model_is_named(engine, source):
    # in another dtype than the model that the workers hold by now
    params = validate({"models": MODEL, "compute": {"dtype": "bfloat16"}}, origin="here")
    elsewhere = replace(source, loaded=Loaded(params, "here", Path("/nowhere")))
    with pytest.raises(DependencyError, match=r"^worker \S+:\d+: models.BASE.path: no directory /nowhere/model"):
        list(engine.iter_passes(facts_here, [None], passes=passes_of(elsewhere)))


def test_a_worker_that_computes_with_something_else_is_refused(engine, source, request):
    (facts,) = engine.iter_passes(facts_here, [None], passes=passes_of(source))
    # as many threads here as there, which a worker's own facts are compared with
    before = torch.get_num_threads()
    request.addfinalizer(lambda: torch.set_num_threads(before))
    torch.set_num_threads(facts.hardware["torch_threads"])
    assert facts == passes_of(source, hardware=facts.hardware).here().facts
    other = passes_of(source, hardware={**facts.hardware, "torch_threads": 7})
    with pytest.raises(DependencyError, match=r"worker \S+: it computes with cpu and \d+ threads, .* and 7 threads"):
        list(engine.iter_passes(facts_here, [None], passes=other))


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (lambda software: replace(software, code="other"), "other code of the pack"),
        (lambda software: replace(software, versions={**software.versions, "torch": "1.0"}), "torch .* instead of 1.0"),
    ],
)
def test_a_worker_of_other_software_is_refused(engine, monkeypatch, ours, said):
    here = ours(Software.here())
    monkeypatch.setattr(Software, "here", classmethod(lambda _: here))
    with pytest.raises(DependencyError, match=rf"^worker \S+ has {said}.*\nstart all workers anew"):
        engine.map_shards(square, [1])


def test_a_scheduler_is_named_by_its_address_or_its_file(tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": "tcp://10.0.0.1:8786"}))
    assert address_of(str(file)) == address_of("tcp://10.0.0.1:8786") == address_of("10.0.0.1:8786")
    with pytest.raises(DependencyError, match=r"no address \(.*\) and no scheduler file"):
        address_of(str(tmp_path / "other.json"))


def test_a_scheduler_that_does_not_answer_ends_the_command_in_one_line(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    words = ["phase1", "--runs-dir", str(tmp_path), "--engine", "dask", "--scheduler", f"tcp://127.0.0.1:{port}", "-q"]
    assert main(words) == Exit.MISSING_DEPENDENCY
    said = capsys.readouterr().err
    assert said.startswith(f"error: no scheduler answers at tcp://127.0.0.1:{port}")
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("RUN_*"))


def test_something_else_that_answers_is_no_scheduler(monkeypatch):
    monkeypatch.setattr(dask_client, "_ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(DependencyError, match="no scheduler answers"):
        dask_client.connected(f"tcp://127.0.0.1:{other.getsockname()[1]}")


@pytest.mark.parametrize(
    ("options", "given", "gpus"),
    [
        ({"device": "auto"}, {"CUDA_VISIBLE_DEVICES": "0,3"}, ["0", "3"]),
        ({"device": "cuda"}, {"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"device": "cuda:1"}, {"CUDA_VISIBLE_DEVICES": "0,1"}, []),
        ({"device": "cpu"}, {"CUDA_VISIBLE_DEVICES": "0,1"}, []),
        ({"device": "auto", "device_map": "auto"}, {"CUDA_VISIBLE_DEVICES": "0,1"}, []),
    ],
)
def test_each_worker_has_a_gpu_of_its_own(options, given, gpus):
    assert gpus_of(RunOptions(**options), given) == gpus


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({"device": "cpu"}, 7),
        ({"device": "auto"}, 1),
        ({"device": "cuda:1"}, 1),
        ({"device": "auto", "device_map": "auto"}, 1),
        ({"device": "cuda:1", "workers": 3}, 3),
    ],
)
def test_one_device_has_one_worker_if_not_told_otherwise(options, number, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("critnb.pipeline.sharing.has_gpu_driver", lambda: True)
    monkeypatch.setattr("critnb.pipeline.workers.number_fitting", lambda *_: 7)
    given = RunOptions(**options)
    assert number_of_workers([], given, []) == number
    assert number_of_workers([], replace(given, workers=None), ["0", "1"]) == 2
    # nothing but the processor is to be seen
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert number_of_workers([], replace(given, workers=None), []) == 7


def test_workers_that_end_at_once_say_why(monkeypatch):
    monkeypatch.setattr("critnb.pipeline.workers._HOLDER", "json.no_such_module")
    with (
        pytest.raises(StageFailedError, match=r"^the workers of this command died with code 1"),
        local_workers(1),
    ):
        pass


def test_other_numbers_in_the_registry_are_other_software(monkeypatch, tmp_path):
    ours = Software.here().code
    assert dask_worker._software.__wrapped__().code == ours
    changed = tmp_path / "registry.yaml"
    changed.write_bytes(REGISTRY_FILE.read_bytes() + b"\n")
    monkeypatch.setattr(dask_worker, "REGISTRY_FILE", changed)
    assert dask_worker._software.__wrapped__().code != ours


def test_a_model_is_called_what_its_own_params_call_it(engine, source, tmp_path):
    """Though a worker holds the same files by another name, for another role."""
    shutil.copytree(source.files().directory, tmp_path / "by another name")
    params = validate({"models": {**MODEL, "INSTRUCT": {"source": "file", "path": "by another name"}}}, origin="here")
    other = replace(source, loaded=Loaded(params, "here", tmp_path), role=ModelRole.INSTRUCT)
    told = []
    for each in (source, other):
        (facts,) = engine.iter_passes(facts_here, [None], passes=passes_of(each))
        told.append(of_source(each, facts).known.recorded)
    assert [each["role"] for each in told] == ["BASE", "INSTRUCT"]
    assert [each["id"] for each in told] == [each.files().id for each in (source, other)]
    assert told[0]["id"] != told[1]["id"]
    assert told[0]["weights_sha256"] == told[1]["weights_sha256"]


HOLDER = """
import os, signal, sys, time
from critnb.engine.dask_client import connected
from critnb.pipeline.options import RunOptions
from critnb.pipeline.workers import gpus_of, local_workers

# a suite that a shell began in the background ignores it, and so would this
signal.signal(signal.SIGINT, signal.default_int_handler)
with local_workers(1) as address:
    client = connected(address)
    print(*client.run(os.getpid).values(), flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_the_command(number):
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as command:
        assert command.stdout is not None
        worker = int(command.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        command.send_signal(number)
    deadline = time.monotonic() + 30
    while _alive(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(worker)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
