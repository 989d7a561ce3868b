"""Progress of long steps: a bar where the notebook is run by hand, else an event in the log of the run.

A stage that runs in another process reports its progress in the run's event log, which ``following`` reads.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Advance = Callable[[int], None]
Event = dict[str, Any]
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
    # not imported above: most commands show no bar
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
