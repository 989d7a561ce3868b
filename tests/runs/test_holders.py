"""Locks on a disk that several machines share: who holds one, and what one machine cannot know of another."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from critnb.errors import RunExistsError, StorageError
from critnb.runs import RunState, RunStore
from critnb.runs.holders import Holder, machine
from critnb.runs.locks import KERNEL_LOCK, RUNNER_LOCK, Lock

RUN_ID = "RUN_S00_0123456789ab"
ELSEWHERE = Holder(123, "node7", "another-boot", "2026-01-01T00:00:00Z")


@pytest.fixture
def left(store: RunStore) -> Path:
    """A partial run that nobody holds."""
    with store.create(RUN_ID) as run:
        return run.path


def test_a_held_lock_names_process_machine_and_time(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    assert lock.acquire()
    named = Holder.read(lock.path)
    assert named is not None
    assert (named.pid, named.host) == (os.getpid(), socket.gethostname())
    assert str(named).startswith(f"process {os.getpid()} on {socket.gethostname()} since 20")
    lock.release()
    assert Holder.read(lock.path) is None
    lock.release()


@pytest.mark.parametrize("name", [RUNNER_LOCK, KERNEL_LOCK])
def test_a_run_of_another_machine_is_never_called_left(store: RunStore, left: Path, name: str) -> None:
    """A disk may not tell this machine of that one's locks, so that its lock is free here says nothing."""
    (left / name).write_bytes(ELSEWHERE.line())
    assert store.state(RUN_ID) is RunState.held
    with pytest.raises(RunExistsError) as caught:
        store.create(RUN_ID, allow_resume=True)
    assert str(caught.value) == (
        f"{left} is being made by process 123 on node7 since 2026-01-01T00:00:00Z; "
        f"wait for it or end it there; if it was killed, delete {left / name}"
    )
    (left / name).unlink()
    store.create(RUN_ID, allow_resume=True).close()


@pytest.mark.parametrize(
    "same",
    [
        # a container of this machine that is gone, under the name that it had
        {"boot": machine()[1]},
        # this machine before it was started again
        {"host": machine()[0]},
    ],
)
def test_of_this_machine_the_lock_itself_tells(store: RunStore, left: Path, same: dict[str, str]) -> None:
    if "" in same.values():
        pytest.skip("this system does not say which boot it is")
    (left / RUNNER_LOCK).write_bytes(replace(ELSEWHERE, **same).line())
    assert store.state(RUN_ID) is RunState.partial
    store.create(RUN_ID, allow_resume=True).close()


def test_what_ended_in_order_goes_on_on_another_machine(store: RunStore, left: Path, monkeypatch) -> None:
    # as of a kernel that its runner has killed
    (left / KERNEL_LOCK).write_bytes(Holder.here().line())
    store.create(RUN_ID, allow_resume=True).close()
    monkeypatch.setattr("critnb.runs.holders.machine", lambda: ("node8", "a third boot"))
    store.create(RUN_ID, allow_resume=True).close()


def test_what_was_killed_does_not(store: RunStore, ministage, start, monkeypatch) -> None:
    other, channel = start(ministage.hold, store.root)
    assert channel.recv() == "held"
    other.kill()
    other.join()
    run_id = ministage.planned().run_id()
    assert store.state(run_id) is RunState.partial
    monkeypatch.setattr("critnb.runs.holders.machine", lambda: ("node8", "a third boot"))
    with pytest.raises(RunExistsError, match=f"process {other.pid} on {socket.gethostname()} since .* delete "):
        store.create(run_id, allow_resume=True)


@pytest.mark.parametrize("text", ["", "123", "{}", "[1]", '{"pid": 1', "null", "\x00\xff"])
def test_a_file_that_names_nobody_is_left_to_the_lock(store: RunStore, left: Path, text: str) -> None:
    (left / RUNNER_LOCK).write_text(text)
    assert store.state(RUN_ID) is RunState.partial
    store.create(RUN_ID, allow_resume=True).close()


def test_a_forged_holder_steers_no_terminal(left: Path) -> None:
    (left / RUNNER_LOCK).write_bytes(replace(ELSEWHERE, host="a\x1b[2J").line())
    assert Holder.read(left / RUNNER_LOCK) is None


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_refused_in_one_line(store: RunStore, monkeypatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=r"\.store\.lock: this file system has no locks .*--runs-dir") as caught:
        store.create(RUN_ID)
    assert "\n" not in str(caught.value)
    assert list(store.root.glob("RUN_*")) == []
