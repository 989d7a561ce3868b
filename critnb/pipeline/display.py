"""What stages at work in other processes have done so far: a line for each at the end of a terminal, sparse lines in a log."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from critnb.pipeline.progress import Throttle

_LOG_SECONDS = 10
_COLUMNS = 80
_CLEAR_BELOW = "\x1b[J"


@dataclass
class _Stage:
    """What is known of a stage at work: what it is about, and of the step that it is at what is done."""

    about: str
    label: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    started: float = 0.0
    throttle: Throttle = field(default_factory=lambda: Throttle(0.0))

    def move(self, label: str, *, done: int, total: int, unit: str, now: float) -> None:
        """Take in what a step reports."""
        if label != self.label:
            self.label, self.started, self.throttle = label, now, Throttle(now, now)
        self.done, self.total, self.unit = done, total, unit

    def is_due(self, now: float) -> bool:
        """Tell whether a log should hear of the step again."""
        return now - self.throttle.last >= _LOG_SECONDS and self.throttle.due(now)


class Display:
    """Shows stages by their names; methods may be called by several threads at once.

    ``whole`` says how far the whole command is, in a line, or nothing: on a terminal below the stages, in a log when one begins.
    """

    def __init__(self, stream: TextIO | None = None, whole: Callable[[], str] = lambda: "") -> None:
        self._whole = whole
        self._stream = stream or sys.stderr or io.StringIO()  # none where stderr is closed
        self._is_terminal = self._stream.isatty()
        self._stages: dict[str, _Stage] = {}
        self._drawn = 0
        self._lock = threading.RLock()

    def begin(self, name: str, about: str) -> None:
        """Say what a stage is about: on a terminal until a step takes the place or it is over, in a log as a line."""
        with self.aside():
            self._stages[name] = _Stage(about)
            if not self._is_terminal:
                self._stream.write("".join(f"{line}\n" for line in (about, self._whole_line()) if line))

    def show(self, name: str, label: str, *, done: int, total: int, unit: str) -> None:
        """Show that ``done`` of ``total`` units of a step are done."""
        now = time.monotonic()
        with self._lock:
            stage = self._stages.setdefault(name, _Stage(""))
            stage.move(label, done=done, total=total, unit=unit, now=now)
            if self._is_terminal:
                self._clear()
                self._draw()
            elif stage.is_due(now):
                self._stream.write(f"  {name} {_in_words(stage, now)}\n")
                self._stream.flush()

    def end(self, name: str) -> None:
        """Show a stage no longer."""
        with self.aside():
            self._stages.pop(name, None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep what is shown out of the way of what the block prints."""
        with self._lock:
            self._clear()
            try:
                yield
            finally:
                self._draw()

    def _clear(self) -> None:
        if self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._stream.write(f"\r{up}{_CLEAR_BELOW}")
            self._drawn = 0
            self._stream.flush()

    def _draw(self) -> None:
        if self._is_terminal and self._stages:
            now, columns = time.monotonic(), _columns(self._stream)
            lines = [*(self._line(name, now, columns) for name in self._stages), self._whole_line()[:columns]]
            shown = list(filter(None, lines))
            self._stream.write("\n".join(shown))
            self._drawn = len(shown)
        self._stream.flush()

    def _whole_line(self) -> str:
        return f"  {words}" if (words := self._whole()) else ""

    def _line(self, name: str, now: float, columns: int) -> str:
        stage = self._stages[name]
        if not stage.label:
            return stage.about[:columns]
        # not imported above: most commands show no progress
        from tqdm.std import tqdm

        meter: str = tqdm.format_meter(
            stage.done,
            stage.total,
            now - stage.started,
            ncols=columns,
            prefix=f"  {name} {stage.label}",
            ascii=not (self._stream.encoding or "utf-8").lower().startswith("utf"),
            unit=stage.unit,
        )
        return meter[:columns]


def _in_words(stage: _Stage, now: float) -> str:
    from tqdm.std import tqdm

    rate = stage.done / (now - stage.started)
    left = tqdm.format_interval((stage.total - stage.done) / rate if rate else float("inf"))
    return f"{stage.label}: {stage.done}/{stage.total} {stage.unit}s, {rate:.1f} {stage.unit}s/s, {left} left"


def _columns(stream: TextIO) -> int:
    """Return how many characters a line of the terminal takes without going on in the next."""
    try:
        # a terminal whose size nobody has set has none
        return max(1, (os.get_terminal_size(stream.fileno()).columns or _COLUMNS) - 1)
    except (OSError, ValueError):
        return _COLUMNS - 1
