"""Map a function over shards with the threads of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")


def map_shards(
    function: Callable[[_Shard], _Result],
    shards: Sequence[_Shard],
    *,
    on_done: Callable[[int], object] = bool,
    workers: int | None = None,
) -> list[_Result]:
    """Return ``function`` of every shard, in the shards' order; ``on_done(1)`` is called after each.

    Threads serve numpy code, which releases the interpreter's lock while it sorts and multiplies. The first exception
    of a shard is raised, after which no further shard is begun.
    """
    results = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        futures = [pool.submit(function, shard) for shard in shards]
        try:
            for future in futures:
                results.append(future.result())
                on_done(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results
