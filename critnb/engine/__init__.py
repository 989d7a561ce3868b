"""Work mapped over shards. The result of a shard depends on the shard alone, so order and place do not matter.

``ENGINES`` names where shards are worked on, as ``compute.engine`` of the params does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from critnb.engine import local

_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")


class Map(Protocol):
    """Return ``function`` of every shard, in the shards' order; ``on_done(1)`` is called after each, if given.

    Function and shards are picklable.
    """

    def __call__(
        self,
        function: Callable[[_Shard], _Result],
        shards: Sequence[_Shard],
        *,
        on_done: Callable[[int], object] | None = None,
        workers: int | None = None,
    ) -> list[_Result]:
        """See the class."""


class IterPasses(Protocol):
    """Yield ``function(passes, shard)`` of every shard, in the shards' order, when its turn comes: only a few results wait.

    Function and shards are picklable, and the ``passes`` that the function is called with are those of the worker. ``on_done(n)``,
    if given, is called when n more windows are finished, or whatever else the passes report.
    """

    def __call__(
        self,
        function: Callable[[Any, _Shard], _Result],
        shards: Sequence[_Shard],
        *,
        passes: Any,
        on_done: Callable[[int], object] | None = None,
    ) -> Iterator[_Result]:
        """See the class."""


class Engine(Protocol):
    """What a stage asks of an engine: to map few large arrays, which threads can share, or many small ones in processes.

    Passes of a model are mapped over shards of their own, ``passes_at_once()`` of them at a time. Where ``elsewhere``, they run in
    other processes, and this one need hold no weights. ``facts()`` are what a run's record says of the work done.
    """

    @property
    def map_shards(self) -> Map:
        """Work for threads."""

    @property
    def map_in_processes(self) -> Map:
        """Work for processes."""

    @property
    def iter_passes(self) -> IterPasses:
        """Work for passes of a model."""

    @property
    def passes_at_once(self) -> Callable[[], int]:
        """See the class."""

    @property
    def facts(self) -> Callable[[], dict[str, Any]]:
        """See the class."""

    @property
    def elsewhere(self) -> bool:
        """See the class."""


def local_engine(*, scheduler: str | None, name: str) -> Engine:  # noqa: ARG001 - as every engine is asked for
    """Return this machine's own threads and processes."""
    return local


def dask_engine(*, scheduler: str | None, name: str) -> Engine:
    """Return the workers of a scheduler of dask.distributed; raises DependencyError where it does not answer."""
    from critnb.engine.dask_client import DaskEngine

    return DaskEngine(scheduler or "", name=name)


class OpenEngine(Protocol):
    """Return an engine for the work of the run ``name``; ``scheduler`` is the address of one, where the engine has such."""

    def __call__(self, *, scheduler: str | None, name: str) -> Engine:
        """See the class."""


ENGINES: Mapping[str, OpenEngine] = {"local": local_engine, "dask": dask_engine}

__all__ = ["ENGINES", "Engine", "IterPasses", "Map"]
