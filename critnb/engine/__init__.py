"""Where work is mapped over shards. A shard's result depends on the shard alone, so any order and place will do."""

from critnb.engine.local import map_in_processes, map_shards

__all__ = ["map_in_processes", "map_shards"]
