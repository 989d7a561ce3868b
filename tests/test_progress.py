"""Progress on its way from a stage to whoever waits for it: reported seldom, shown with a rate and the time left."""

from __future__ import annotations

import io
import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.pipeline.progress import Display, Throttle, following, reported


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


def test_a_log_gets_a_line_in_ten_seconds_with_the_rate_and_the_time_left(clock):
    log = io.StringIO()
    display = Display(log)
    for second in range(61):
        display.show("moments", done=second * 2, total=240, unit="window")
        clock[0] += 1
    lines = log.getvalue().splitlines()
    assert 4 <= len(lines) <= 6
    assert lines[0] == "  moments: 20/240 windows, 2.0 windows/s, 01:50 left"


def test_a_short_step_writes_nothing_into_a_log(clock):
    log = io.StringIO()
    display = Display(log)
    for done in range(10):
        display.show("moments", done=done, total=9, unit="window")
        clock[0] += 0.9
    display.close()
    assert log.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_is_gone_afterwards():
    screen = Terminal()
    display = Display(screen)
    display.show("moments", done=3, total=9, unit="window")
    display.show("base rates", done=1, total=9, unit="window")
    display.close()
    assert "moments" in screen.getvalue()
    assert "base rates" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_what_is_announced_stays_in_a_log_and_goes_from_a_terminal():
    screen, log = Terminal(), io.StringIO()
    for stream in (screen, log):
        display = Display(stream)
        display.announce("S02 begins")
        display.close()
    assert log.getvalue() == "S02 begins\n"
    # back to the beginning of the line, which is cleared
    assert screen.getvalue() == "S02 begins\r\x1b[K"


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
