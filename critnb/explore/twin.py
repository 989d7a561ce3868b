"""The still twin of a live view: what an exported page, in which nothing is alive, shows of it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from IPython.core.getipython import get_ipython
from IPython.display import HTML, display, update_display

from critnb.errors import CritnbError
from critnb.explore.markup import sentence

# pictures of everything take some tenths of a second, in which a kernel does not answer: nobody should wait for them
_IDLE_SECONDS = 0.6
_CELL_ENDS = "post_run_cell"


class Twin:
    """The twin whose HTML ``make`` returns as it is now; a widget that is told ``name`` hides it while it is alive."""

    def __init__(self, make: Callable[[], str]) -> None:
        self.name = uuid.uuid4().hex
        self._make = make
        self._shown = False
        self._waiting: asyncio.TimerHandle | None = None

    def display(self) -> None:
        """Display the twin."""
        self._shown = True
        display(self._html(), display_id=self.name)

    def renew(self) -> None:
        """Bring the displayed twin up to date once nothing has changed for a while, or at the end of the cell that runs.

        Where nothing runs later, as in a script, it is at once.
        """
        if not self._shown:
            return
        self._forget()
        try:
            self._waiting = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._update)
        except RuntimeError:
            self._update()
            return
        if (shell := get_ipython()) is not None:
            shell.events.register(_CELL_ENDS, self._update)

    def _forget(self) -> None:
        if self._waiting is None:
            return
        self._waiting.cancel()
        self._waiting = None
        if (shell := get_ipython()) is not None:
            shell.events.unregister(_CELL_ENDS, self._update)

    def _update(self, *_: object) -> None:
        self._forget()
        update_display(self._html(), display_id=self.name)

    def _html(self) -> HTML:
        try:
            content = self._make()
        except CritnbError as error:
            content = sentence(str(error)).data
        return HTML(f'<div class="critnb-twin" data-critnb-twin="{self.name}">{content}</div>')
