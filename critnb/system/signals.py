"""Signals that ask a command to end: a scheduler's warning before its limit, a terminal that is gone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGHUP is not everywhere
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """A signal other than Ctrl-C's asked this process or its notebook's kernel to end; as text, which one."""


@contextmanager
def ending_like_ctrl_c() -> Iterator[None]:
    """Let the first SIGTERM or SIGHUP end the block by raising Terminated in the main thread, as Ctrl-C ends it.

    Later ones are ignored, so that what the block does at its end is not cut short. A signal that the caller lets be ignored
    (``nohup``) stays ignored. In another thread than the main one, which gets no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise Terminated(f"ended by {signal_name(number)}")

    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: set by something that is not Python, which cannot be put back from here
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def how_interrupted(error: KeyboardInterrupt) -> str:
    """Return the words for what ended a command: ``interrupted``, or the signal that was not Ctrl-C."""
    return str(error) or "interrupted"


def signal_name(number: int) -> str:
    """Return the name of a signal; one without a name gets its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
