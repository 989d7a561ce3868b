"""Map work over shards. The result of a shard depends on the shard alone, so the order and the place do not matter."""

from critnb.engine.local import map_in_processes, map_shards

__all__ = ["map_in_processes", "map_shards"]
