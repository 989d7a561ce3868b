"""A run that another process makes: waited for and used, or told what came of it."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from critnb.canon import Exit
from critnb.errors import RunExistsError, RunHeldError
from critnb.pipeline.waiting import made_or_awaited
from critnb.runs import RunState, RunStore


@pytest.fixture
def ask(store: RunStore, ministage):
    """Ask for the miniature stage's run, which another process makes; ``ask.told`` is who was said to make it."""
    planned = SimpleNamespace(run_id=ministage.planned().run_id())
    told: list[str] = []

    def run(*, seconds=60, allow_resume=False, waits=lambda _: None, go_on=lambda: None):
        def at_work(held):
            told.append(held.awaited)
            waits(held)

        return made_or_awaited(
            planned,
            store,
            lambda: ministage.make(store, allow_resume=allow_resume),
            seconds=seconds,
            allow_resume=allow_resume,
            waits=at_work,
            go_on=go_on,
        )

    run.told = told
    return run


def test_what_nobody_makes_is_made_and_what_is_complete_is_used(ask, store):
    made = ask()
    assert store.path(made.run_id) == made.path
    assert ask() is None
    assert ask(seconds=0) is None
    assert ask.told == []


def test_a_run_is_used_that_another_completes_meanwhile(ask, store, ministage):
    other = ministage.begin(store)

    def complete():
        ministage.work(other.path)
        other.publish()

    thread = threading.Thread(target=complete)
    assert ask(waits=lambda _: thread.start()) is None
    thread.join()
    assert store.state(other.run_id) is RunState.complete
    assert len(ask.told) == 1


@pytest.mark.slow
@pytest.mark.parametrize("allow_resume", [False, True])
def test_a_run_whose_maker_is_killed_is_gone_on_with_or_told(ask, store, ministage, start, allow_resume):
    other, channel = start(ministage.hold, store.root)
    assert channel.recv() == "held"
    if allow_resume:
        made = ask(allow_resume=True, waits=lambda _: other.kill())
        assert made is not None
        assert store.state(made.run_id) is RunState.complete
    else:
        with pytest.raises(RunExistsError) as caught:
            ask(waits=lambda _: other.kill())
        first, second = str(caught.value).split("\n")
        assert f"process {other.pid} on " in first
        assert first.endswith("has left it incomplete")
        assert second == "pass --allow-resume to go on with it, or delete it"
        assert caught.value.exit_code is Exit.RUN_EXISTS
    assert f"is being made by process {other.pid} on " in ask.told[0]


def test_why_another_has_left_a_run_is_told(ask, store, ministage):
    other = ministage.begin(store)

    def fail(_):
        other.fail("StageFailedError: S02: too little memory\nmore")
        other.close()

    with pytest.raises(RunExistsError, match=r"has left it incomplete: StageFailedError: S02: too little memory\n"):
        ask(waits=fail)


def test_a_run_that_another_gives_up_is_made(ask, store, ministage):
    other = ministage.begin(store)
    made = ask(waits=lambda _: other.discard())
    assert made is not None


def test_waiting_ends_when_its_time_is_over_or_the_command_is_to_end(ask, store, ministage):
    with ministage.begin(store):
        with pytest.raises(
            RunHeldError, match=r"is still being made by process .*; wait for it or end it, or give --wait"
        ):
            ask(seconds=1)
        with pytest.raises(RunHeldError, match="is being made by process") as caught:
            ask(seconds=0)
        assert caught.value.exit_code is Exit.RUN_EXISTS
        assert len(ask.told) == 1

        def end():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ask(go_on=end)
