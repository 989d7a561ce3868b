"""Work mapped over shards. The result of a shard depends on the shard alone, so order and place do not matter.

``ENGINES`` names where shards are worked on, as ``compute.engine`` of the params does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

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


class Engine(Protocol):
    """What a stage asks of an engine: to map few large arrays, which threads can share, or many small ones in processes."""

    map_shards: Map
    map_in_processes: Map


ENGINES: Mapping[str, Engine] = {"local": local}

__all__ = ["ENGINES", "Engine", "Map"]
