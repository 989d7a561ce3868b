"""Work whose parts need each other, done side by side: each part is begun once all that it needs is done.

A part is whatever its key stands for; what doing it means is a function of the caller, called in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Result = TypeVar("_Result")
# for each key those that it waits for; what is no key itself is there already
Needs = Mapping[_Key, Collection[_Key]]


def side_by_side(
    needs: Needs[_Key],
    do: Callable[[_Key], _Result],
    *,
    jobs: int,
    done: Callable[[_Key, _Result], object],
    failed: Callable[[_Key, Exception], object],
    stop: Callable[[BaseException], object],
    alone: Collection[_Key] = (),
) -> None:
    """Call ``do`` for every key of ``needs``, at most ``jobs`` at once; ``done`` and ``failed`` hear of each as it ends.

    Of what can be begun, that comes first from which the longest path leads to an end, then what stands first. Of the keys in
    ``alone`` one at a time is at work.

    As with ``make``, nothing is begun after a failure, what is at work goes on to its end, and the first error is raised. What
    interrupts (no Exception, or one of ``done``) is handed to ``stop``, which ends what is at work, and raised after that.
    """
    work: _Work[_Key, _Result] = _Work(needs, jobs=jobs, alone=alone)
    first: Exception | None = None
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while work.begin(pool, do, anything=first is None):
                for key, future in work.ended():
                    try:
                        result = future.result()
                    except Exception as error:
                        first = first or error
                        failed(key, error)
                    else:
                        done(key, result)
        except BaseException as error:
            stop(error)
            raise
    if first is not None:
        raise first


def width(needs: Needs[_Key]) -> int:
    """Return how many parts are at work at once, at most, where all take equally long and nothing else limits them."""
    steps: dict[_Key, int] = {}
    for key in _upstream_first(needs):
        steps[key] = 1 + max((steps[need] for need in needs[key] if need in needs), default=0)
    return max(map(list(steps.values()).count, steps.values()), default=0)


def _upstream_first(needs: Needs[_Key]) -> Iterator[_Key]:
    done: set[_Key] = set()
    while len(done) < len(needs):
        ready = [key for key in needs if key not in done and done.issuperset(set(needs[key]) & needs.keys())]
        if not ready:
            raise ValueError("parts of the work need each other in a circle")
        yield from ready
        done.update(ready)


def _to_the_end(needs: Needs[_Key]) -> dict[_Key, int]:
    """Return how many parts stand on the longest path from each part to an end, itself among them."""
    left = dict.fromkeys(needs, 1)
    for key in reversed(list(_upstream_first(needs))):
        for need in needs[key]:
            if need in left:
                left[need] = max(left[need], left[key] + 1)
    return left


@dataclass
class _Work(Generic[_Key, _Result]):
    """What waits to be begun, the most urgent first, and what is at work."""

    needs: Needs[_Key]
    jobs: int
    alone: Collection[_Key]
    _waiting: list[_Key] = field(init=False)
    _at_work: dict[Future[_Result], _Key] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting = sorted(self.needs, key=_to_the_end(self.needs).__getitem__, reverse=True)

    def begin(self, pool: ThreadPoolExecutor, do: Callable[[_Key], _Result], *, anything: bool) -> bool:
        """Begin what can be begun, if ``anything`` may be, and tell whether something is at work."""
        for key in list(self._waiting) if anything else ():
            if len(self._at_work) < self.jobs and self._can_begin(key):
                self._waiting.remove(key)
                self._at_work[pool.submit(do, key)] = key
        return bool(self._at_work)

    def ended(self) -> Iterator[tuple[_Key, Future[_Result]]]:
        """Wait until something has ended and yield all that has."""
        for future in wait(self._at_work, return_when=FIRST_COMPLETED).done:
            yield self._at_work.pop(future), future

    def _can_begin(self, key: _Key) -> bool:
        at_work = self._at_work.values()
        if key in self.alone and any(other in self.alone for other in at_work):
            return False
        unfinished = {*self._waiting, *at_work}
        return not any(need in unfinished for need in self.needs[key])
