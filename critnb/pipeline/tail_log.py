"""Follow the event log that another process writes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.25


@contextmanager
def following(log: Path, show: Callable[[dict[str, Any]], object]) -> Iterator[None]:
    """Call ``show`` with every event that is appended to ``log`` (JSON lines) inside the context."""
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(log, show, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _follow(log: Path, show: Callable[[dict[str, Any]], object], stop: threading.Event) -> None:
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
