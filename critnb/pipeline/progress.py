"""Progress of long steps: a bar in a terminal or notebook, sparse lines in a log, both with a rate and the time left.

A stage that runs in another process reports its progress in the run's event log, which ``following`` reads.
"""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

# imported where a bar is shown: most commands show none
if TYPE_CHECKING:
    from tqdm.std import tqdm as terminal_bar

Advance = Callable[[int], None]
Event = dict[str, Any]
_CLEAR_LINE = "\r\x1b[K"
_POLL_SECONDS = 0.25


@dataclass
class Throttle:
    """Lets an event through at most once per second, and in a long step at most once per 1 % of its duration so far."""

    started: float
    last: float = 0.0

    def due(self, now: float) -> bool:
        """Tell whether an event may pass now, and remember that it did."""
        if now - self.last < max(1.0, 0.01 * (now - self.started)):
            return False
        self.last = now
        return True


@contextmanager
def reported(report: Callable[[int], None], total: int) -> Iterator[Advance]:
    """Yield an ``advance(n)`` that calls ``report(done)``, throttled; the end is always reported."""
    throttle = Throttle(time.monotonic())
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if done < total and throttle.due(time.monotonic()):
            report(done)

    yield advance
    report(done)


@contextmanager
def bar(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Yield an ``advance(n)`` that moves a bar, in a notebook or on a terminal."""
    from tqdm.auto import tqdm as notebook_or_terminal_bar

    with notebook_or_terminal_bar(total=total, desc=label, unit=unit, leave=False) as shown:
        yield lambda n: shown.update(n) and None


@contextmanager
def following(log: Path, show: Callable[[Event], object]) -> Iterator[None]:
    """Call ``show`` with every event that is appended to ``log`` (JSON lines) inside the context."""
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(log, show, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _follow(log: Path, show: Callable[[Event], object], stop: threading.Event) -> None:
    with log.open(encoding="utf-8") as file:
        file.seek(0, 2)
        pending = ""
        while True:
            last_round = stop.is_set()
            pending += file.read()
            *lines, pending = pending.split("\n")
            for line in lines:
                show(json.loads(line))
            if last_round:
                return
            stop.wait(_POLL_SECONDS)


class Display:
    """Shows the steps of a stage that runs in another process."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr or io.StringIO()  # none where stderr is closed
        self._bar: terminal_bar | None = None
        self._label = ""
        self._started = 0.0

    def announce(self, text: str) -> None:
        """Say what begins: on a terminal until a bar takes its place or it is over, in a log as a line."""
        self._stream.write(text if self._stream.isatty() else f"{text}\n")
        self._stream.flush()

    def show(self, label: str, done: int, total: int, unit: str) -> None:
        """Show that ``done`` of ``total`` units of a step are done."""
        if self._stream.isatty():
            self._move_bar(label, done, total, unit)
        else:
            self._write_line(label, done, total, unit)

    def close(self) -> None:
        """Remove the bar, or what was announced."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._stream.isatty():
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()

    def _move_bar(self, label: str, done: int, total: int, unit: str) -> None:
        if self._bar is None or label != self._label:
            self.close()
            self._label = label
            from tqdm.std import tqdm as terminal_bar

            self._bar = terminal_bar(total=total, desc=f"  {label}", unit=unit, leave=False, file=self._stream)
        self._bar.update(done - self._bar.n)

    def _write_line(self, label: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        if label != self._label:
            self._label, self._started = label, now
            self._throttle = Throttle(now, now)
        elapsed = now - self._started
        if elapsed < 10 or not self._is_due(now):
            return
        rate = done / elapsed
        left = (total - done) / rate if rate else float("inf")
        from tqdm.std import tqdm as terminal_bar

        line = f"  {label}: {done}/{total} {unit}s, {rate:.1f} {unit}s/s, {terminal_bar.format_interval(left)} left\n"
        self._stream.write(line)
        self._stream.flush()

    def _is_due(self, now: float) -> bool:
        if now - self._throttle.last < 10:
            return False
        return self._throttle.due(now)
