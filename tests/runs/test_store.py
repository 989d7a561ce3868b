from __future__ import annotations

import json
import random
import socket
from pathlib import Path

import killsweep
import pytest

from critnb.canon import Exit, Stage, Status
from critnb.errors import DependencyError, RunExistsError, StorageError
from critnb.runs import PartialRun, Run, RunState, RunStore, verify

RUN_ID = "RUN_S00_0123456789ab"


def _one_line(error: BaseException) -> str:
    assert "\n" not in str(error)
    return str(error)


def test_states_of_a_run(store: RunStore, ministage) -> None:
    run_id = ministage.planned().run_id()
    assert store.state(run_id) is RunState.absent
    with ministage.begin(store) as partial:
        assert store.state(run_id) is RunState.held
    assert store.state(run_id) is RunState.partial
    with PartialRun.attach(partial.path):
        assert store.state(run_id) is RunState.held
    assert ministage.make(store, allow_resume=True).path == store.path(run_id)
    assert store.state(run_id) is RunState.complete
    assert not store.partial_path(run_id).exists()


def test_a_complete_run_is_never_made_again(run: Run, store: RunStore) -> None:
    for allow_resume in (False, True):
        with pytest.raises(RunExistsError, match="is complete and never written again") as caught:
            store.create(run.run_id, allow_resume=allow_resume)
        assert caught.value.exit_code is Exit.RUN_EXISTS
        assert f"show {run.run_id}" in _one_line(caught.value)
    assert verify(run.path) == []


def test_an_incomplete_run_needs_leave(store: RunStore) -> None:
    store.create(RUN_ID).close()
    with pytest.raises(RunExistsError, match=r"is incomplete; pass --allow-resume .* or delete it") as caught:
        store.create(RUN_ID)
    assert str(store.partial_path(RUN_ID)) in _one_line(caught.value)


def test_resuming_keeps_checkpoints_and_log_and_nothing_else(store: RunStore) -> None:
    with store.create(RUN_ID) as first:
        first.write_json("results/a.json", 1)
        first.write_bytes("notebook/n.html", b"x")
        (first.path / "figs").symlink_to("/nowhere")
        (first.path / "checkpoints").mkdir()
        (first.path / "checkpoints" / ".torn.tmp").write_bytes(b"x")
        first.save_checkpoint("a", {})
        first.fail("x")
    log = first.path / "logs" / "events.jsonl"
    log.write_bytes(log.read_bytes() + b'{"cut')
    log.chmod(0o444)
    with store.create(RUN_ID, allow_resume=True) as second:
        assert sorted(path.name for path in second.path.iterdir() if not path.name.startswith(".")) == [
            "checkpoints", "logs", "run_record.json",
        ]  # fmt: skip
        assert [path.name for path in (second.path / "checkpoints").iterdir()] == ["a.ckpt"]
        assert second.load_checkpoint("a") == {}
        assert (second.record.stage_status, second.record.artifact_index) == (Status.started, ())
        kinds = [json.loads(line)["event_type"] for line in log.read_text().splitlines()]
        assert kinds == ["start", "artifacts_written", "artifacts_written", "end", "start"]


@pytest.mark.slow
@pytest.mark.parametrize("action", ["hold", "attach"])
def test_a_run_that_another_process_holds_is_left_alone(store: RunStore, ministage, start, action: str) -> None:
    if action == "attach":
        ministage.begin(store).close()
    other, channel = start(getattr(ministage, action), store.root)
    assert channel.recv() == "held"
    for allow_resume in (False, True):
        words = f"is being made by process {other.pid} on {socket.gethostname()} since 20.*; wait for it or end it$"
        with pytest.raises(RunExistsError, match=words) as caught:
            store.create(ministage.planned().run_id(), allow_resume=allow_resume)
        _one_line(caught.value)
    other.kill()
    other.join()
    assert store.state(ministage.planned().run_id()) is RunState.partial
    assert verify(ministage.make(store, allow_resume=True).path) == []


def test_a_second_kernel_is_refused(store: RunStore, ministage, start) -> None:
    with ministage.begin(store) as partial:
        other, channel = start(ministage.attach, store.root)
        assert channel.recv() == "held"
        with pytest.raises(RunExistsError, match=rf"process {other.pid} on \S+ since \S+ works on it already"):
            PartialRun.attach(partial.path)


def test_runner_and_kernel_lose_nothing_of_each_other(store: RunStore, ministage, start) -> None:
    with store.create(RUN_ID) as runner:
        _, channel = start(ministage.scribble, runner.path, 25)
        assert channel.recv() == "ready"
        channel.send("go")
        for number in range(25):
            runner.update(metrics={"number": number})
            runner.write_json(f"results/runner_{number}.json", number)
        assert channel.recv() == "done"
        assert len(runner.record.artifact_index) == 50
        assert runner.record.metrics == {"number": 24}


def test_publish_waits_for_the_kernel(store: RunStore, ministage, start, monkeypatch) -> None:
    monkeypatch.setattr("critnb.runs.partial._DETACH_SECONDS", 0.2)
    with ministage.begin(store) as partial:
        other, channel = start(ministage.attach, store.root)
        assert channel.recv() == "held"
        with pytest.raises(RunExistsError, match=rf"kernel .process {other.pid} on \S+ since \S+. still holds it"):
            partial.publish()
        other.kill()
        other.join()
        assert verify(partial.publish().path) == []


@pytest.mark.parametrize("left_over", [False, True])
def test_of_racing_processes_exactly_one_wins(store: RunStore, ministage, start, left_over: bool) -> None:
    if left_over:
        ministage.begin(store).close()
    channels = [start(ministage.race, store.root)[1] for _ in range(4)]
    assert [channel.recv() for channel in channels] == ["ready"] * 4
    for channel in channels:
        channel.send("go")
    words = sorted(channel.recv().split()[0] for channel in channels)
    assert words == ["RunHeldError"] * 3 + ["won"]


def _digests(run: Run) -> dict[str, str]:
    return {path: artifact.sha256 for path, artifact in run.artifacts.items() if not path.startswith("logs/")}


@pytest.mark.slow
def test_killed_at_any_operation_and_resumed_the_bytes_are_the_same(tmp_path: Path, ministage, start) -> None:
    # Every operation was swept once (149 of them, all sound); the test visits every ninth from a drawn start.
    rows = start(killsweep.sweep, tmp_path / "killed", random.randint(1, 9), 9)[1].recv()
    assert len(rows) > 10
    assert {row["state"] for row in rows} >= {"partial"}
    assert [row for row in rows if not row["sound"]] == []
    undisturbed = _digests(ministage.make(RunStore(tmp_path / "undisturbed")))
    assert [row["operation"] for row in rows if row["digests"] != undisturbed] == []


@pytest.mark.slow
def test_killed_at_random_times_and_resumed(tmp_path: Path, store: RunStore, ministage, start) -> None:
    for _ in range(4):
        maker, _ = start(ministage.make_in, store.root, channel=False)
        maker.join(random.uniform(0, 0.3))
        maker.kill()
        maker.join()
    run_id = ministage.planned().run_id()
    done = store.state(run_id) is RunState.complete
    run = store.open(run_id) if done else ministage.make(store, allow_resume=True)
    assert verify(run.path) == []
    assert _digests(run) == _digests(ministage.make(RunStore(tmp_path / "undisturbed")))


def test_a_resumed_run_computes_only_what_is_left(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        partial.save_checkpoint("step_0", {"part": 7 + 0 * ministage.np.arange(8.0)})
    run = ministage.make(store, allow_resume=True)
    expected = 7 + ministage.np.arange(8.0) ** 2 / 3
    assert run.npz(ministage.RESULT)["total"].tolist() == expected.tolist()


def test_a_runs_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageError, match="runs: File exists; make room") as caught:
        RunStore(tmp_path / "runs").create(RUN_ID)
    assert caught.value.exit_code is Exit.BAD_INPUT
    with pytest.raises(StorageError, match="Not a directory"):
        RunStore(tmp_path / "runs" / "deeper").create(RUN_ID)
    _one_line(caught.value)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that even root cannot write to")
def test_a_folder_that_cannot_be_written() -> None:
    with pytest.raises(StorageError, match="/proc/self") as caught:
        RunStore(Path("/proc/self/runs")).create(RUN_ID)
    _one_line(caught.value)


def test_a_full_disk_is_one_line_and_nothing_half_written(store: RunStore, ministage, start) -> None:
    _, channel = start(ministage.fill_disk, store.root)
    refusal = channel.recv()
    assert refusal.startswith("StorageError 2 ")
    assert "results/a.npz: File too large; make room" in refusal
    assert channel.recv() == []
    assert store.state(RUN_ID) is not RunState.complete


def test_open_only_complete_runs(store: RunStore) -> None:
    with pytest.raises(DependencyError, match="is absent, not complete"):
        store.open(RUN_ID)
    store.create(RUN_ID).close()
    with pytest.raises(DependencyError, match="is partial, not complete") as caught:
        store.open(RUN_ID)
    assert caught.value.exit_code is Exit.MISSING_DEPENDENCY


def test_listings(store: RunStore, ministage) -> None:
    assert (store.ids(), store.runs(), store.latest(Stage.S01)) == ([], [], None)
    first = ministage.make(store, Stage.S01)
    second = ministage.make(store, Stage.S02, first)
    store.create(RUN_ID).close()
    (store.root / "notes").mkdir()
    (store.root / "RUN_S01_file").write_text("")
    broken = store.root / "RUN_S01_ffffffffffff"
    broken.mkdir()
    assert store.ids() == sorted([RUN_ID, first.run_id, second.run_id, broken.name])
    assert [run.run_id for run in store.runs()] == [first.run_id, second.run_id]
    assert store.latest(Stage.S01).run_id == first.run_id
    states = {entry.run_id: (entry.state, entry.record is None) for entry in store.entries()}
    assert states[RUN_ID] == (RunState.partial, False)
    assert states[broken.name] == (RunState.complete, True)
    assert [entry.run_id for entry in store.entries(Stage.S02)] == [second.run_id]


def test_the_latest_run_is_the_one_begun_last(store: RunStore, ministage) -> None:
    upstream = ministage.make(store, Stage.S01)
    older = ministage.make(store, Stage.S02, upstream)
    newer = ministage.make(store, Stage.S02)
    assert store.latest(Stage.S02).run_id == newer.run_id != older.run_id
