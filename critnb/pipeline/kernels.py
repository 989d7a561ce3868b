"""The kernels of one command: where they come from, how many threads each may use, and one end for all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from critnb.pipeline.warm_kernels import WarmKernels


class Process(Protocol):
    """A kernel's process, which leads a process group of its own; ``returncode`` is None until it was waited for."""

    pid: int
    returncode: int | None


class Kernels:
    """Kernels that stages side by side get, each in its own thread of the runner.

    ``warm`` is the server that they are forked from, None where each is a new process; ``threads`` are the variables of the
    environment that set the number of threads.
    """

    def __init__(self, warm: WarmKernels | None = None, *, threads: Mapping[str, str] | None = None) -> None:
        self.warm = warm
        self.threads = dict(threads or {})
        self._started: list[Process] = []
        self._stopped: BaseException | None = None
        self._lock = threading.Lock()

    def add(self, process: Process) -> None:
        """Take a kernel that has just started; it is ended at once where all are to end."""
        with self._lock:
            self._started.append(process)
            stopped = self._stopped is not None
        if stopped:
            _kill(process)

    def stop(self, error: BaseException) -> None:
        """End all kernels, those to come too, because of this error; whoever waits for one gets an interrupt of the same words."""
        with self._lock:
            self._stopped = error
            started = list(self._started)
        for process in started:
            _kill(process)
        if self.warm is not None:
            self.warm.hang_up()

    def raise_if_stopped(self) -> None:
        """Raise KeyboardInterrupt where ``stop`` was called: what else comes of a kernel says nothing about its stage."""
        if self._stopped is not None:
            raise KeyboardInterrupt(*(self._stopped.args if isinstance(self._stopped, KeyboardInterrupt) else ()))


def _kill(process: Process) -> None:
    # until it was waited for, no other process gets its number
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
