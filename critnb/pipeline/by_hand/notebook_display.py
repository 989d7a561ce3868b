"""What a notebook shows of work that is not its own: lines that change while one waits, and errors in a line or two."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from critnb.errors import CritnbError
from critnb.pipeline.by_hand.recorder import PASSING

_MARK = {PASSING: True}


def _shell() -> Any:
    """The interactive shell of a notebook's kernel, or None elsewhere."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None


class Line:
    """A line under the running cell that may be rewritten; it is no part of what a run keeps."""

    def __init__(self, text: str) -> None:
        self._handle: Any = None
        if _shell() is None:
            self.show(text)
            return
        from IPython.display import display

        self._handle = display({"text/plain": text}, raw=True, metadata=_MARK, display_id=True)

    def show(self, text: str) -> None:
        """Put another text in the line's place; outside of a notebook, below it."""
        if self._handle is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._handle.update({"text/plain": text}, raw=True, metadata=_MARK)


def shorten_errors(*, verbose: bool) -> None:
    """Show the pack's own errors as their message in this kernel, the whole traceback on ``%tb``; ``verbose``: at once."""
    shell = _shell()
    if shell is not None:
        shell.set_custom_exc(() if verbose else (CritnbError,), _shown_shortly)


def _shown_shortly(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, **_: Any
) -> list[str]:
    # what %tb and %debug look at
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    lines = [f"\x1b[31m{kind.__name__}\x1b[39m: {error}", *getattr(error, "__notes__", ())]
    shell._showtraceback(kind, error, lines)
    return lines
