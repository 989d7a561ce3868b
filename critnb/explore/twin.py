"""The still twin of a live view: what an exported page, which has no kernel and no widgets, shows instead."""

from __future__ import annotations

import asyncio
import html
import uuid
from collections.abc import Callable

from IPython.core.getipython import get_ipython
from IPython.display import HTML, display, update_display

from critnb.errors import CritnbError

# pictures of everything take some tenths of a second, during which the kernel does not answer
_IDLE_SECONDS = 0.6
_CELL_ENDS = "post_run_cell"


def sentence(words: str) -> HTML:
    """Return a line of HTML that says what is wrong."""
    return HTML(
        '<div class="critnb-sentence" style="border-left:3px solid #D55E00;padding:.4em .8em;background:#fdf3ec;color:#222">'
        f"{html.escape(words)}</div>"
    )


class Twin:
    """The still picture of a view: ``make`` returns its current HTML; the widget that knows ``name`` hides it while alive."""

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
        """Update the displayed twin once nothing has changed for a while, or at the end of the running cell.

        Without an event loop, as in a script, update it at once.
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
