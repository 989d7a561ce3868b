"""Map a function over shards with threads or processes, as many as affinity and quota leave this process processors."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from joblib import Parallel, cpu_count, delayed, parallel_config

_WATCH_SECONDS = 0.5

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

    Function and shards must be picklable. A worker process uses one thread for linear algebra and ends with its parent.
    """
    workers = min(workers or cpu_count(), len(shards))
    if workers < 2:
        return _collected(map(function, shards), on_done)
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
