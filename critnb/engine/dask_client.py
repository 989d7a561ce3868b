"""Shards mapped over the workers of a scheduler of dask.distributed.

Only this process writes: workers give results back. A shard whose worker is lost is given to another one; one that raises is not
tried again, since it would raise again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import pickle
import queue
import socket
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from distributed import Client, Future, KilledWorker
from distributed.comm import CommClosedError

from critnb.engine.dask_worker import Done, Software, handed, work_on, work_on_passes
from critnb.errors import DependencyError, StageFailedError
from critnb.system.terminal import plain

_ANSWER_SECONDS = 20.0
# without any worker for so long, none is waited for any more
_NO_WORKER_SECONDS = 300.0
_POLL_SECONDS = 1.0
# so many shards a worker are handed out or wait for their turn, which bounds what is held here
_AHEAD = 4
_PROTOCOL = 5
_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")


def address_of(scheduler: str) -> str:
    """Return the address of a scheduler, given as that or as the path of a scheduler file; raises DependencyError."""
    if "://" in scheduler:
        return scheduler
    if scheduler.rpartition(":")[2].isdecimal() and not Path(scheduler).exists():
        return f"tcp://{scheduler}"
    try:
        return str(json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DependencyError(
            f"--scheduler {plain(scheduler, 200)}: no address (tcp://HOST:PORT) and no scheduler file that names one"
        ) from None


def require_answer(address: str) -> None:
    """Raise DependencyError where nothing speaks first at an address, as a scheduler does; its own client would wait for ever."""
    place = urlsplit(address)
    # what other protocols need, their own libraries know
    if place.scheme != "tcp":
        return
    try:
        where = (place.hostname or "", place.port or 0)
        with socket.create_connection(where, timeout=_ANSWER_SECONDS) as asked:
            said = asked.recv(1)
    except (OSError, ValueError) as error:
        raise _no_answer(address, f" ({plain(str(error), 100)})") from None
    if not said:
        raise _no_answer(address)


def _no_answer(address: str, why: str = "") -> DependencyError:
    return DependencyError(f"no scheduler answers at {plain(address, 200)}{why}; start it, or leave --scheduler out")


def connected(address: str) -> Client:
    """Return a client of a scheduler that answers and has a worker; raises DependencyError."""
    address = address_of(address)
    require_answer(address)
    # what it says belongs to no cell of a notebook
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            client = Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
        except (OSError, ValueError, CommClosedError):
            raise _no_answer(address) from None
        try:
            client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
        except TimeoutError:
            client.close()
            raise DependencyError(
                f"the scheduler at {plain(address, 200)} has no worker; start some with: dask worker {plain(address, 200)} "
                "--nthreads 1"
            ) from None
    return client


@dataclass
class _Account:
    """What is recorded of shards: of each its name, worker and seconds; and how often a worker was lost with one."""

    shards: list[tuple[str, int, float]] = field(default_factory=list)
    workers: dict[tuple[str, int], int] = field(default_factory=dict)
    threads: set[int] = field(default_factory=set)
    retries: int = 0

    def add(self, name: str, done: Done, lost: int) -> None:
        number = self.workers.setdefault((done.host, done.process), len(self.workers))
        self.shards.append((name, number, round(done.seconds, 3)))
        self.retries += lost
        if done.threads is not None:
            self.threads.add(done.threads)


class DaskEngine:
    """The workers of a scheduler, asked by one stage for its run ``name``."""

    elsewhere = True

    def __init__(self, scheduler: str, *, name: str) -> None:
        """Connect to the scheduler at an address, or whose scheduler file it is; raises DependencyError."""
        self._client = connected(scheduler)
        self._name = name
        self._account = _Account()

    def close(self) -> None:
        """Leave the scheduler."""
        self._client.close()

    def passes_at_once(self) -> int:
        """Return how many workers there are now."""
        return max(1, len(self._client.nthreads()))

    def facts(self) -> dict[str, Any]:
        """Return what the record says: workers with their hosts and threads, shards with worker and seconds, retries."""
        account = self._account
        return {
            "name": "dask",
            "workers": [{"host": host, "process": process} for host, process in account.workers],
            "threads": sorted(account.threads),
            "retries": account.retries,
            "shards": [{"shard": name, "worker": number, "seconds": spent} for name, number, spent in account.shards],
        }

    def map_shards(
        self,
        function: Callable[[_Shard], _Result],
        shards: Sequence[_Shard],
        *,
        on_done: Callable[[int], object] | None = None,
        workers: int | None = None,  # noqa: ARG002 - they are there already
    ) -> list[_Result]:
        """Return ``function`` of every shard, in the shards' order."""
        given = (work_on, self._handed(function))
        return [done.result for done in self._each(given, shards, on_done, _called(function))]

    map_in_processes = map_shards

    def iter_passes(
        self,
        function: Callable[[Any, _Shard], _Result],
        shards: Sequence[_Shard],
        *,
        passes: Any,
        on_done: Callable[[int], object] | None = None,
    ) -> Iterator[_Result]:
        """Yield ``function(passes, shard)`` of every shard, in the shards' order, each when its turn comes."""
        given = (work_on_passes, self._handed(function), _pickled(passes))
        for done in self._each(given, shards, on_done, _called(function)):
            passes.windows_run += done.windows_run
            yield done.result

    def _handed(self, function: object) -> Future:
        data = _pickled(function)
        with _quiet():
            return self._client.submit(handed, data, key=f"{self._name}/function/{uuid.uuid4().hex}")

    def _each(
        self,
        given: tuple[Any, ...],
        shards: Sequence[object],
        on_done: Callable[[int], object] | None,
        what: str,
    ) -> Iterator[Done]:
        # no other client's shards have these keys, whatever run it works on
        keys = [f"{self._name}/{what}/{shard_name(shard, i)}/{uuid.uuid4().hex[:8]}" for i, shard in enumerate(shards)]
        work, *known = given

        def submit(i: int) -> Future:
            # results are taken in order; and a shard that kills workers takes none with it that came before
            with _quiet():
                return self._client.submit(
                    work, Software.here(), *known, _pickled(shards[i]), key=keys[i], priority=-i, pure=False
                )

        flight = _Flight(self._client, _AHEAD * self.passes_at_once(), self._account, on_done or _unheard)
        with contextlib.closing(flight):
            for i in range(len(shards)):
                yield flight.result(i, submit, keys)


@dataclass
class _Flight:
    """Shards that workers have, and results that wait for those before them."""

    client: Client
    ahead: int
    account: _Account
    on_done: Callable[[int], object]
    _begun: int = 0
    _futures: dict[int, Future] = field(default_factory=dict)
    _ready: dict[int, Done] = field(default_factory=dict)
    _failed: dict[int, BaseException] = field(default_factory=dict)
    _ended: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue)

    def result(self, wanted: int, submit: Callable[[int], Future], keys: Sequence[str]) -> Done:
        """Return the result of a shard, all before it having been asked for; raises what the first one that failed raised."""
        while wanted not in self._ready:
            if wanted in self._failed:
                raise self._failed[wanted]
            while not self._failed and self._begun < min(len(keys), wanted + self.ahead):
                self._begin(self._begun, submit)
                self._begun += 1
            self._take(self._next_ended(), keys)
        return self._ready.pop(wanted)

    def close(self) -> None:
        """Give up what is still at work."""
        if self._futures:
            with contextlib.suppress(Exception):
                self.client.cancel(list(self._futures.values()), force=True)
        self._futures.clear()

    def _begin(self, i: int, submit: Callable[[int], Future]) -> None:
        self._futures[i] = future = submit(i)
        future.add_done_callback(lambda _: self._ended.put(i))

    def _take(self, i: int, keys: Sequence[str]) -> None:
        future = self._futures.pop(i)
        try:
            done: Done = future.result()
        except Exception as error:
            self._failed[i] = _said(error, keys[i])
            return
        self.account.add(keys[i].split("/", 1)[1].rpartition("/")[0], done, self._times_lost(keys[i]))
        future.release()
        self._ready[i] = done
        self.on_done(done.reported)

    def _times_lost(self, key: str) -> int:
        try:
            return int(self.client.run_on_scheduler(_suspicious, key=key))
        except Exception:
            # a scheduler that runs nothing for clients
            return 0

    def _next_ended(self) -> int:
        seen = time.monotonic()
        while True:
            try:
                return self._ended.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                pass
            if self.client.status in ("closed", "closing"):
                raise StageFailedError("the scheduler is gone; continue with --allow-resume when it is there again")
            if self._has_workers():
                seen = time.monotonic()
            elif time.monotonic() - seen > _NO_WORKER_SECONDS:
                raise StageFailedError(
                    f"the scheduler has had no worker for {_NO_WORKER_SECONDS:g} s; continue with --allow-resume when it has some"
                )

    def _has_workers(self) -> bool:
        try:
            return bool(self.client.nthreads())
        except (OSError, CommClosedError):
            # the client tries to connect again, and gives up by itself
            return True


def _suspicious(key: str, dask_scheduler: Any = None) -> int:
    """Return how many workers were lost while they worked on a key; called on the scheduler."""
    task = dask_scheduler.tasks.get(key)
    return 0 if task is None else int(task.suspicious)


def _said(error: Exception, key: str) -> BaseException:
    """Return an error of a shard as it is, and what dask says of workers and schedulers in words for users."""
    if isinstance(error, KilledWorker):
        name = key.split("/", 1)[1].rpartition("/")[0]
        return StageFailedError(
            f"workers died {error.allowed_failures + 1} times at shard {name}, the last at {error.last_worker.address}\n"
            "they may have run out of memory: use fewer workers, or lower compute.batch_tokens (which makes other runs)"
        )
    if isinstance(error, CancelledError | CommClosedError):
        return StageFailedError("the scheduler is gone; continue with --allow-resume when it is there again")
    if isinstance(error, ModuleNotFoundError) or "deserialization of the task graph" in str(error):
        return DependencyError(
            f"the scheduler or a worker cannot load the pack: {plain(str(error).splitlines()[0].strip(), 200)}\n"
            "start all of them from the environment and the pack that this command runs from"
        )
    return error


def _called(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def shard_name(shard: object, number: int) -> str:
    """Return what a shard is called in keys and records: what it says of itself, or its number."""
    return str(shard) if type(shard).__str__ is not object.__str__ and len(str(shard)) < 80 else str(number)


def _pickled(value: object) -> bytes:
    return pickle.dumps(value, protocol=_PROTOCOL)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let dask not advise on the size of what is handed over: it is handed to each worker once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _unheard(_n: int) -> None: ...
