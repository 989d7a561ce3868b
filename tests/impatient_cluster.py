"""The workers of a command where dask, left to itself, would never replace one that is not back at once."""

from dask import config

from critnb.engine import dask_cluster

if __name__ == "__main__":
    config.set({"distributed.deploy.lost-worker-timeout": "10ms"})
    dask_cluster.main()
