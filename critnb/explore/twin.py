"""The still twin of a live view: what an exported page, which has no kernel and no widgets, shows instead."""

from __future__ import annotations

import html
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comm
from IPython.core.getipython import get_ipython
from IPython.display import HTML, display, update_display

from critnb.errors import CritnbError
from critnb.explore.later import Later

# pictures of everything take some tenths of a second, during which the kernel does not answer
_IDLE_SECONDS = 0.6


def sentence(words: str) -> HTML:
    """Return a line of HTML that says what is wrong."""
    return HTML(
        '<div class="critnb-sentence" style="border-left:3px solid #D55E00;padding:.4em .8em;background:#fdf3ec;color:#222">'
        f"{html.escape(words)}</div>"
    )


def somebody_is_there() -> bool:
    """Return whether whoever runs the cell could be asked something, as a notebook's user can; nbconvert and papermill cannot.

    A widget made for them would be stored in the page that they write, where it asks the network for the scripts that draw it.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return True
    return bool(kernel.get_parent("shell").get("content", {}).get("allow_stdin", True))


@contextmanager
def unseen_unless_somebody_is_there() -> Iterator[None]:
    """Make widgets that no page will hear of, where nobody is there to use them."""
    before = comm.create_comm
    if not somebody_is_there():
        comm.create_comm = comm.DummyComm
    try:
        yield
    finally:
        comm.create_comm = before


def _without_words(widget: Any) -> dict[str, Any]:
    """Return what displays a widget, without the repr that a page without widgets would show in its place."""
    found = widget._repr_mimebundle_()
    bundle: dict[str, Any] = dict(found[0] if isinstance(found, tuple) else found)
    return bundle | {"text/plain": ""}


class Twin:
    """The still picture of a view: ``make`` returns its current HTML; the widget that knows ``name`` hides it while alive."""

    def __init__(self, make: Callable[[], str]) -> None:
        self.name = uuid.uuid4().hex
        self._make = make
        self._shown = False
        self._later = Later(self._update, seconds=_IDLE_SECONDS)

    def display(self, widget: Any = None) -> None:
        """Display the widget where somebody can use it, and the twin."""
        if widget is not None and somebody_is_there():
            display(_without_words(widget), raw=True)
        self._shown = True
        display(self._html(), display_id=self.name)

    def renew(self) -> None:
        """Update the displayed twin once nothing has changed for a while."""
        if not self._shown:
            return
        self._later.ask()

    def _update(self) -> None:
        update_display(self._html(), display_id=self.name)

    def _html(self) -> HTML:
        try:
            content = self._make()
        except CritnbError as error:
            content = sentence(str(error)).data
        return HTML(f'<div class="critnb-twin" data-critnb-twin="{self.name}">{content}</div>')
