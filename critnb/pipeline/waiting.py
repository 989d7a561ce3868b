"""A run that another process is making is waited for and then used: neither made twice nor an error."""

from __future__ import annotations

import time
from collections.abc import Callable

from critnb.errors import CritnbError, RunExistsError, RunHeldError
from critnb.pipeline.plan import PlannedRun
from critnb.runs import Run, RunState, RunStore
from critnb.runs.locks import Held, holder
from critnb.runs.record import read_record

_FIRST_PAUSE, _LONGEST_PAUSE, _SLOWER = 0.1, 2.0, 1.5


def made_or_awaited(
    planned: PlannedRun,
    store: RunStore,
    make: Callable[[], Run],
    *,
    seconds: int,
    allow_resume: bool,
    waits: Callable[[Held], object],
    go_on: Callable[[], object] = lambda: None,
) -> Run | None:
    """Return the run that ``make`` has made; None where it was complete, or was completed by another process meanwhile.

    While another process, of this machine or of another on a shared disk, holds the run, wait for it, at most ``seconds`` (0: not
    at all): ``waits`` is told who holds it, and ``go_on`` is called at each look, to end the waiting by raising. Raises the errors
    of ``make``, and RunExistsError where the time is over or that process has left the run incomplete.
    """
    ends = time.monotonic() + seconds
    while (state := store.state(planned.run_id)) is not RunState.complete:
        try:
            if state is not RunState.held or not seconds:
                return make()
            _wait(planned.run_id, store, ends=ends, allow_resume=allow_resume, waits=waits, go_on=go_on)
        except RunHeldError:
            # another process was quicker; the next look finds it at work, or done
            if not seconds or time.monotonic() >= ends:
                raise
        except RunExistsError:
            if store.state(planned.run_id) is not RunState.complete:
                raise
    return None


def _wait(
    run_id: str,
    store: RunStore,
    *,
    ends: float,
    allow_resume: bool,
    waits: Callable[[Held], object],
    go_on: Callable[[], object],
) -> None:
    """Return when nobody holds the run any more and it can be used, made or gone on with."""
    partial = store.partial_path(run_id)
    if (held := holder(partial)) is None:
        return
    waits(held)
    pause = _FIRST_PAUSE
    while (state := store.state(run_id)) is RunState.held:
        go_on()
        if (left := ends - time.monotonic()) <= 0:
            raise RunHeldError(f"{partial} is still being made by {held}; {held.advice}, or give --wait more seconds")
        time.sleep(min(pause, left))
        pause = min(_LONGEST_PAUSE, _SLOWER * pause)
    if state is RunState.partial and not allow_resume and store.settled_state(run_id) is RunState.partial:
        raise RunExistsError(
            f"{partial}: {held} has left it incomplete{_why(store, run_id)}\n"
            "pass --allow-resume to go on with it, or delete it"
        )


def _why(store: RunStore, run_id: str) -> str:
    try:
        error = read_record(store.partial_path(run_id))[0].error
    except CritnbError:
        return ""
    return f": {error.partition(chr(10))[0]}" if error else ""
