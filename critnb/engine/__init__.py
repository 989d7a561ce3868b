"""Work mapped over shards. The result of a shard depends on the shard alone, so order and place do not matter.

``ENGINES`` names where shards are worked on, as ``compute.engine`` of the params does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from critnb.engine import local

_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")


class Engine(Protocol):
    """What a stage asks of an engine; both return ``function`` of every shard, in the shards' order."""

    def map_shards(
        self,
        function: Callable[[_Shard], _Result],
        shards: Sequence[_Shard],
        *,
        on_done: Callable[[int], object] | None = None,
        workers: int | None = None,
    ) -> list[_Result]:
        """Work of few large arrays, which threads can share."""

    def map_in_processes(
        self,
        function: Callable[[_Shard], _Result],
        shards: Sequence[_Shard],
        *,
        on_done: Callable[[int], object] | None = None,
        workers: int | None = None,
    ) -> list[_Result]:
        """Work of many small arrays; function and shards must be picklable."""


ENGINES: Mapping[str, Engine] = {"local": local}

__all__ = ["ENGINES", "Engine"]
