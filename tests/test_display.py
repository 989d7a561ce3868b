"""What a terminal and a log show of stages at work, one or several at once."""

from __future__ import annotations

import io
import re

import pytest

from critnb.pipeline.display import Display


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [1000.0]
    monkeypatch.setattr("critnb.pipeline.display.time.monotonic", lambda: now[0])
    return now


class Terminal(io.StringIO):
    """A terminal of which the lines that it shows at last can be read."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """What a terminal that knows three escapes makes of it: up, erase what is below, back to the line's beginning."""
        rows, row, column = [""], 0, 0
        for piece in re.findall(r"\x1b\[\d*[AJ]|[\r\n]|[^\x1b\r\n]+", self.getvalue()):
            if piece.endswith("A") and piece.startswith("\x1b"):
                row -= int(piece[2:-1])
                assert row >= 0
            elif piece == "\x1b[J":
                rows[row:] = [rows[row][:column]]
            elif piece == "\n":
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            elif piece == "\r":
                column = 0
            else:
                rows[row] = rows[row][:column].ljust(column) + piece + rows[row][column + len(piece) :]
                column += len(piece)
        return rows


def test_a_log_gets_a_line_in_ten_seconds_with_the_rate_and_the_time_left(clock):
    log = io.StringIO()
    display = Display(log)
    for second in range(61):
        display.show("S01 BASE", "moments", done=second * 2, total=240, unit="window")
        clock[0] += 1
    lines = log.getvalue().splitlines()
    assert 4 <= len(lines) <= 6
    assert lines[0] == "  S01 BASE moments: 20/240 windows, 2.0 windows/s, 01:50 left"


def test_two_stages_in_a_log_do_not_reset_each_other(clock):
    log = io.StringIO()
    display = Display(log)
    for second in range(21):
        for name, rate in (("S01 BASE", 1), ("S01 INSTRUCT", 2)):
            display.show(name, "moments", done=second * rate, total=100, unit="window")
        clock[0] += 1
    lines = log.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == ["  S01 BASE moments", "  S01 INSTRUCT moments"] * 2
    assert ["1.0 windows/s" in line for line in lines] == [True, False] * 2


def test_a_short_step_writes_nothing_into_a_log(clock):
    log = io.StringIO()
    display = Display(log)
    for done in range(10):
        display.show("S01 BASE", "moments", done=done, total=9, unit="window")
        clock[0] += 0.9
    display.end("S01 BASE")
    assert log.getvalue() == ""


def test_a_terminal_has_a_line_for_each_stage_under_what_was_printed(clock):
    screen = Terminal()
    display = Display(screen)
    display.begin("S03 BASE", "S03 begins")
    display.begin("S03 INSTRUCT", "the other begins")
    assert screen.lines() == ["S03 begins", "the other begins"]
    display.show("S03 INSTRUCT", "rasters", done=0, total=9, unit="window")
    clock[0] += 2
    display.show("S03 INSTRUCT", "rasters", done=3, total=9, unit="window")
    first, second = screen.lines()
    assert first == "S03 begins"
    assert second.startswith("  S03 INSTRUCT rasters:  33%")
    assert "3/9" in second
    with display.aside():
        screen.write("S02 is done\n")
    assert screen.lines() == ["S02 is done", first, second]
    display.end("S03 BASE")
    assert screen.lines() == ["S02 is done", second]
    display.end("S03 INSTRUCT")
    assert screen.lines() == ["S02 is done", ""]
    assert max(map(len, screen.lines())) < 80


def test_what_a_stage_is_about_stays_in_a_log_and_goes_from_a_terminal():
    screen, log = Terminal(), io.StringIO()
    for stream in (screen, log):
        display = Display(stream)
        display.begin("S02", "S02 begins")
        display.end("S02")
    assert log.getvalue() == "S02 begins\n"
    assert screen.lines() == [""]


def test_how_far_the_command_is_stands_below_the_stages_and_in_a_log_where_one_begins(clock):
    screen, log = Terminal(), io.StringIO()
    for stream in (screen, log):
        far = ["stage 1 of 3"]
        display = Display(stream, lambda far=far: far[0])
        display.begin("S02 BASE", "S02 begins")
        if stream is screen:
            assert screen.lines() == ["S02 begins", "  stage 1 of 3"]
        far[0] = "stages 1 and 2 of 3, about 4 min left"
        display.begin("S03 BASE", "S03 begins")
        display.show("S03 BASE", "rasters", done=0, total=9, unit="window")
        if stream is screen:
            assert [line[:40] for line in screen.lines()][::2] == [
                "S02 begins",
                "  stages 1 and 2 of 3, about 4 min left",
            ]
        far[0] = ""
        display.end("S02 BASE")
        display.end("S03 BASE")
    assert screen.lines() == [""]
    assert log.getvalue().splitlines() == [
        "S02 begins", "  stage 1 of 3", "S03 begins", "  stages 1 and 2 of 3, about 4 min left",
    ]  # fmt: skip
