"""How long a stage may take and its kernel to start, and the clock that ends a kernel whose stage takes longer."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from critnb.canon import CANON


@dataclass(frozen=True)
class Limits:
    """Seconds: ``start`` until a notebook's kernel answers, ``stage`` for all of a stage (None: as long as it takes)."""

    start: int = CANON.CONST.KERNEL_START_SECONDS
    stage: int | None = None


USUAL_LIMITS = Limits()


class Clock:
    """Ends a kernel, and the processes that it has started, when the time of its stage has run out."""

    def __init__(self, seconds: int | None) -> None:
        self.seconds = seconds
        self.ran_out = False
        self._pid: int | None = None
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the time run while the block does."""
        if self.seconds is None:
            yield
            return
        timer = threading.Timer(self.seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            # from here on the number may be another process'
            with self._lock:
                self._pid = None

    def watch(self, pid: int) -> None:
        """Take a kernel that has just started, which leads a process group of its own; too late, it is ended at once."""
        with self._lock:
            self._pid = pid
        if self.ran_out:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self.ran_out = True
            if self._pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGKILL)
