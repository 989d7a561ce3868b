"""What a command says of its stages while they run, side by side or not: lines of results on stdout, all else on stderr."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from critnb.gates import summed_up
from critnb.pipeline.display import Display
from critnb.pipeline.forecast import Forecast
from critnb.pipeline.notebook import kept_notebooks
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun
from critnb.pipeline.progress import Event
from critnb.runs import Run
from critnb.runs.locks import Held
from critnb.system.failures import message_and_exit
from critnb.system.paths import from_here
from critnb.system.terminal import err, out, plain

Show = Callable[[Event], None]
# a run that was made, None where it was there already, and the seconds that it took
Ended = tuple[Run | None, float]


class Account:
    """The account of one command, which several threads may give at once. ``errors``: those of stages that failed, by run id."""

    def __init__(
        self,
        options: RunOptions,
        forecast: Forecast,
        *,
        whose: Mapping[str, str] | None = None,
        keep_going: bool = False,
    ) -> None:
        """``whose``: by run id what a run is made for, where a command has several runs of a stage and role.

        ``keep_going``: a failure is not the command's end, so that all is said of it at once.
        """
        self.errors: dict[str, Exception] = {}
        self._options = options
        self._forecast = forecast
        self._whose = whose or {}
        self._keep_going = keep_going
        self._display = Display(whole=forecast.words)
        self._at_work: set[str] = set()
        self._failure: str | None = None
        self._lock = threading.Lock()

    def of(self, planned: PlannedRun, make: Callable[[Show], Run | None]) -> Ended:
        """Say what a stage is about, and show what it reports while ``make`` is at work; returns how that ended."""
        name, begins = self._name(planned), f"{label(planned)}  {self._purpose(planned)}{planned.spec.asks}"
        with self._lock:
            self._at_work.add(planned.run_id)
        self._forecast.begins(planned.run_id)
        if self._options.verbose:
            self._err(*filter(None, (begins, self._forecast.words())))  # lines of steps stand below it
        elif not self._options.quiet:
            self._display.begin(name, begins)
        started = time.monotonic()
        try:
            return make(lambda event: self._show(name, event)), time.monotonic() - started
        finally:
            self._display.end(name)
            with self._lock:
                self._at_work.discard(planned.run_id)

    def waits(self, planned: PlannedRun, held: Held) -> None:
        """Say who is making a run that is waited for."""
        if not self._options.quiet:
            self._err(f"{label(planned)}  {held.awaited}")

    def done(self, planned: PlannedRun, ended: Ended) -> None:
        """Print the line of a run; raises OSError where stdout does not take it."""
        run, seconds = ended
        self._forecast.ends(planned.run_id, None if run is None else seconds)
        if run is None:
            if not self._options.quiet:
                self._err(f"{label(planned)}  reused")
            return
        page = kept_notebooks(planned.spec, run.path)[0]
        gates = summed_up(run.record.metrics.get("gates", ()))
        with self._display.aside():
            out(f"{label(planned)}  {f'{seconds:.1f} s':>7}  {gates}  {from_here(page)}")

    def failed(self, planned: PlannedRun, error: Exception) -> None:
        """Say which stage failed, where that is not the error with which the command ends, or does not end yet."""
        self.errors[planned.run_id] = error
        self._forecast.fails(planned.run_id)
        if self._keep_going:
            first, *more = message_and_exit(error)[0].split("\n")
            first = first.removeprefix(f"{planned.spec.id}: ")
            self._err(f"{label(planned)}  {self._purpose(planned)}failed: {first}", *more)
            return
        said = message_and_exit(error)[0].partition("\n")[0].removeprefix(f"{planned.spec.id}: ")
        with self._lock:
            n_left = len(self._at_work)
        is_first = self._failure is None
        self._failure = self._failure or said
        if said != self._failure or (is_first and n_left and not self._options.quiet):
            others = f"; waiting for {n_left} at work" if n_left else ""
            self._err(f"{label(planned)}  failed{others}: {said}")

    def _show(self, name: str, event: Event) -> None:
        payload = event["payload"]
        if event["event_type"] == "progress" and not self._options.quiet:
            numbers = {"done": payload["done"], "total": payload["total"], "unit": payload["unit"]}
            self._display.show(name, plain(payload["label"]), **numbers)
        elif event["event_type"] == "warning" and not self._options.quiet:
            self._err(f"{name}: {plain(payload['said'])}")
        elif event["event_type"] == "step" and self._options.verbose:
            self._err(f"  {name} {payload['step']}: {payload['seconds']:.1f} s")

    def _purpose(self, planned: PlannedRun) -> str:
        return f"{plain(whose)}: " if (whose := self._whose.get(planned.run_id)) else ""

    def _name(self, planned: PlannedRun) -> str:
        return " ".join(filter(None, [planned.spec.id, planned.who, plain(self._whose.get(planned.run_id, ""))]))

    def _err(self, *lines: str) -> None:
        with self._display.aside():
            err(*lines)


def label(planned: PlannedRun) -> str:
    """Return what a line about a run begins with."""
    return f"{planned.spec.id:<6} {planned.who:<8} {planned.run_id}"
