"""Progress on its way from a stage to whoever waits for it: reported seldom, shown with a rate and the time left."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.pipeline.progress import Throttle, following, reported


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [1000.0]
    monkeypatch.setattr("critnb.pipeline.progress.time.monotonic", lambda: now[0])
    return now


def test_of_many_steps_few_are_reported_and_the_end_always(clock):
    seen: list[int] = []
    with reported(seen.append, total=1000) as advance:
        for _ in range(1000):
            clock[0] += 0.1
            advance(1)
    assert seen[-1] == 1000
    assert seen == sorted(set(seen))
    # a hundred seconds at no more than one a second
    assert 50 <= len(seen) <= 101


@given(st.lists(st.floats(0, 100), max_size=200))
def test_a_throttle_lets_pass_at_most_one_a_second(steps):
    throttle, now, passed = Throttle(0.0), 0.0, []
    for step in steps:
        now += step
        if throttle.due(now):
            passed.append(now)
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(passed))


def test_events_are_followed_from_where_the_log_stood_also_when_written_in_pieces(tmp_path: Path):
    log, seen = tmp_path / "events", []
    log.write_text(json.dumps({"n": 0}) + "\n")
    with following(log, seen.append):
        time.sleep(0.1)
        with log.open("a") as file:
            for text in ('{"n": 1}\n{"n"', ": 2}\n", '{"n": 3'):
                file.write(text)
                file.flush()
                time.sleep(0.3)
    # the piece without an end is no event
    assert seen == [{"n": 1}, {"n": 2}]
