"""Map a function over shards with threads or processes, as many as affinity and quota leave this process processors."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed, parallel_config

_WATCH_SECONDS = 0.5
# What a pool takes until its workers have read the libraries, in seconds, and the shards that are timed before one is begun.
_START_SECONDS = 8.0
_TIMED = 3

# passes run in this very process
elsewhere = False
OnDone = Callable[[int], object]
_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")


def map_shards(
    function: Callable[[_Shard], _Result],
    shards: Sequence[_Shard],
    *,
    on_done: OnDone | None = None,
    workers: int | None = None,
) -> list[_Result]:
    """Return ``function`` of every shard, in the shards' order; ``on_done(1)`` is called after each, if given.

    Threads serve numpy code, which releases the interpreter's lock while it sorts and multiplies. The first exception
    of a shard is raised, after which no further shard is begun.
    """
    with ThreadPoolExecutor(workers or cpu_count()) as pool:
        futures = [pool.submit(function, shard) for shard in shards]
        try:
            return _collected((future.result() for future in futures), on_done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def map_in_processes(
    function: Callable[[_Shard], _Result],
    shards: Sequence[_Shard],
    *,
    on_done: OnDone | None = None,
    workers: int | None = None,
) -> list[_Result]:
    """Do as ``map_shards`` in processes, for work on many small arrays, where threads would wait for each other.

    Function and shards must be picklable. A worker process uses one thread for linear algebra and ends with its parent. Where
    no number of workers is asked for, work is begun here, and processes take over only what pays for starting them.
    """
    asked, workers = workers, min(workers or cpu_count(), len(shards))
    if workers < 2:
        return _collected(map(function, shards), on_done)
    begun = [] if asked else _while_faster(function, shards, on_done, workers)
    return begun + (_in_pool(function, shards[len(begun) :], on_done, workers) if len(begun) < len(shards) else [])


def iter_passes(
    function: Callable[[Any, _Shard], _Result],
    shards: Sequence[_Shard],
    *,
    passes: Any,
    on_done: OnDone | None = None,
) -> Iterator[_Result]:
    """Yield ``function(passes, shard)`` of one shard after the other, when asked for; ``on_done(n)`` hears what passes report."""
    for shard in shards:
        with passes.reporting(on_done or _unheard):
            result = function(passes, shard)
        yield result


def passes_at_once() -> int:
    """Return one: the model is here once, and has all threads."""
    return 1


def facts() -> dict[str, Any]:
    """Return the name; the rest is what the record says of this machine."""
    return {"name": "local"}


def _unheard(_n: int) -> None: ...


def _while_faster(
    function: Callable[[_Shard], _Result], shards: Sequence[_Shard], on_done: OnDone | None, workers: int
) -> list[_Result]:
    """Return ``function`` of the first shards, up to where a pool would be done with the others sooner.

    The time is this thread's on a processor, so that other programs do not count, and that of the first shard, which loads
    what it needs, is not taken for the others'.
    """
    results: list[_Result] = []
    spent = 0.0
    for shard in shards:
        began = time.thread_time()
        results += _collected([function(shard)], on_done)
        if len(results) > 1:
            spent += time.thread_time() - began
        left = spent / max(1, len(results) - 1) * (len(shards) - len(results))
        if len(results) >= _TIMED and left * (1 - 1 / workers) > _START_SECONDS:
            break
    return results


def _in_pool(
    function: Callable[[_Shard], _Result], shards: Sequence[_Shard], on_done: OnDone | None, workers: int
) -> list[_Result]:
    # the results come in the shards' order while later ones are still at work
    with (
        parallel_config("loky", inner_max_num_threads=1, initializer=_end_with_parent, initargs=(os.getpid(),)),
        Parallel(n_jobs=workers, return_as="generator") as parallel,
    ):
        return _collected(parallel(delayed(function)(shard) for shard in shards), on_done)


def _end_with_parent(parent: int) -> None:
    """End this process soon after its parent: a killed kernel must not leave workers behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _collected(results: Iterable[_Result], on_done: OnDone | None) -> list[_Result]:
    collected = []
    for result in results:
        collected.append(result)
        if on_done is not None:
            on_done(1)
    return collected
