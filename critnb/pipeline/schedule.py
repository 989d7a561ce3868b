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
    ranks: Mapping[_Key, int] | None = None,
    keep_going: bool = False,
) -> None:
    """Call ``do`` for every key of ``needs``, at most ``jobs`` at once; ``done`` and ``failed`` hear of each as it ends.

    Of what can be begun, that comes first that has the lowest of the ``ranks``, if given, then that from which the longest path
    leads to an end, then what stands first. Of the keys in ``alone`` one at a time is at work.

    As with ``make``, nothing is begun after a failure, what is at work goes on to its end, and the first error is raised; or, to
    ``keep_going``, only what needs what has failed is not begun, and nothing is raised but what ``failed`` has heard of. What
    interrupts (no Exception, or one of ``done``) is handed to ``stop``, which ends what is at work, and raised after that.
    """
    work: _Work[_Key, _Result] = _Work(needs, jobs=jobs, alone=alone, ranks=ranks or {})
    first: Exception | None = None
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while work.begin(pool, do, anything=first is None or keep_going):
                for key, future in work.ended():
                    try:
                        result = future.result()
                    except Exception as error:
                        first = first or error
                        if keep_going:
                            work.give_up(key)
                        failed(key, error)
                    else:
                        done(key, result)
        except BaseException as error:
            stop(error)
            raise
    if first is not None and not keep_going:
        raise first


def time_left(
    needs: Needs[_Key],
    seconds: Mapping[_Key, float],
    *,
    jobs: int,
    at_work: Collection[_Key] = (),
    alone: Collection[_Key] = (),
    ranks: Mapping[_Key, int] | None = None,
) -> float:
    """Return how long ``side_by_side`` takes for what is left to do, of which each part takes so many seconds from now on.

    ``at_work`` has been begun; what it needs, and what else is done, is no key.
    """
    work: _Work[_Key, None] = _Work(needs, jobs=jobs, alone=alone, ranks=ranks or {})
    now, ends = 0.0, dict[_Key, float]()
    for key in at_work:
        work.waiting.remove(key)
        ends[key] = seconds[key]
    while True:
        for key in work.that_can_begin(ends):
            ends[key] = now + seconds[key]
        if not ends:
            return now
        first = min(ends, key=ends.__getitem__)
        now = ends.pop(first)


def needing(needs: Needs[_Key], given: _Key) -> set[_Key]:
    """Return every part that needs the given one, directly or through others."""
    found = {given}
    for key in _upstream_first(needs):
        if found.intersection(needs[key]):
            found.add(key)
    return found - {given}


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
    ranks: Mapping[_Key, int]
    waiting: list[_Key] = field(init=False)
    _at_work: dict[Future[_Result], _Key] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        to_the_end = _to_the_end(self.needs)
        self.waiting = sorted(self.needs, key=lambda key: (self.ranks.get(key, 0), -to_the_end[key]))

    def begin(self, pool: ThreadPoolExecutor, do: Callable[[_Key], _Result], *, anything: bool) -> bool:
        """Begin what can be begun, if ``anything`` may be, and tell whether something is at work."""
        for key in self.that_can_begin(self._at_work.values()) if anything else ():
            self._at_work[pool.submit(do, key)] = key
        return bool(self._at_work)

    def ended(self) -> Iterator[tuple[_Key, Future[_Result]]]:
        """Wait until something has ended and yield all that has."""
        for future in wait(self._at_work, return_when=FIRST_COMPLETED).done:
            yield self._at_work.pop(future), future

    def give_up(self, failed: _Key) -> None:
        """Begin nothing any more that needs what has failed."""
        hopeless = needing(self.needs, failed)
        self.waiting = [key for key in self.waiting if key not in hopeless]

    def that_can_begin(self, at_work: Collection[_Key]) -> Iterator[_Key]:
        """Yield what can be begun beside what is ``at_work``, which has grown by each when the next is asked for."""
        for key in list(self.waiting):
            if len(at_work) < self.jobs and self._can_begin(key, at_work):
                self.waiting.remove(key)
                yield key

    def _can_begin(self, key: _Key, at_work: Collection[_Key]) -> bool:
        if key in self.alone and any(other in self.alone for other in at_work):
            return False
        unfinished = {*self.waiting, *at_work}
        return not any(need in unfinished for need in self.needs[key])
