"""Work mapped over shards. The result of a shard depends on the shard alone, so order and place do not matter.

``ENGINES`` names where shards are worked on, as ``compute.engine`` of the params does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from critnb.engine import local

_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")


class Map(Protocol):
    """Return ``function`` of every shard, in the shards' order; ``on_done(1)`` is called after each, if given."""

    def __call__(
        self,
        function: Callable[[_Shard], _Result],
        shards: Sequence[_Shard],
        *,
        on_done: Callable[[int], object] | None = None,
        workers: int | None = None,
    ) -> list[_Result]:
        """See the class."""


class MapPasses(Protocol):
    """Return ``function(passes, shard)`` of every shard, in the shards' order.

    Function and shards are picklable: what they name is a worker's, and the ``passes`` that it is called with are the worker's own.
    ``on_done(n)``, if given, is called when n more windows are finished, or whatever else the passes report.
    """

    def __call__(
        self,
        function: Callable[[Any, _Shard], _Result],
        shards: Sequence[_Shard],
        *,
        passes: Any,
        on_done: Callable[[int], object] | None = None,
    ) -> list[_Result]:
        """See the class."""


class IterPasses(Protocol):
    """As ``MapPasses``, but each result is given up when it comes: no more than a few wait at a time."""

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

    Passes of a model are mapped over shards of their own, ``PASSES_AT_ONCE`` of them at a time.
    """

    map_shards: Map
    map_in_processes: Map
    map_passes: MapPasses
    iter_passes: IterPasses
    PASSES_AT_ONCE: int


ENGINES: Mapping[str, Engine] = {"local": local}

__all__ = ["ENGINES", "Engine", "IterPasses", "Map", "MapPasses"]
