"""Work that may wait until nothing has changed for a while, so that what somebody looks at comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from IPython.core.getipython import get_ipython

_CELL_ENDS = "post_run_cell"


class Later:
    """``ask`` calls ``work`` once, when nobody has asked for so many seconds, or at the end of the running cell.

    Without an event loop, as in a script, it calls at once.
    """

    def __init__(self, work: Callable[[], object], *, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._waiting: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Ask for the work."""
        self._forget()
        try:
            self._waiting = asyncio.get_running_loop().call_later(self._seconds, self._do)
        except RuntimeError:
            self._do()
            return
        if (shell := get_ipython()) is not None:
            shell.events.register(_CELL_ENDS, self._do)

    def _forget(self) -> None:
        if self._waiting is None:
            return
        self._waiting.cancel()
        self._waiting = None
        if (shell := get_ipython()) is not None:
            shell.events.unregister(_CELL_ENDS, self._do)

    def _do(self, *_: object) -> None:
        self._forget()
        self._work()
