"""The process that holds the workers of one command: a scheduler and worker processes of this machine.

It writes the scheduler's address on its stdout, and lives until its stdin is closed: the runner closes it at its end, and the
system does where the runner was killed. Its workers end with it. A worker that is lost is replaced.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
from typing import Any

# a shard that so many workers were lost with is not tried again
_ALLOWED_FAILURES = 3
# by name: this room knows of no model
_LIBRARIES = ("transformers.modeling_utils", "transformers.models.auto.modeling_auto", "numba")


def main() -> None:
    """Hold workers: the arguments are how many, a folder for what they write, and the GPUs that they take in turn, if any."""
    n_workers, folder, gpus = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    from dask import config
    from distributed import Client, Nanny, Scheduler, SpecCluster

    config.set(
        {
            "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
            # a worker that died twice within it would not be replaced the second time
            "distributed.deploy.lost-worker-timeout": "1000 days",
            # threads and memory are set by the environment of this process, as for kernels
            "distributed.nanny.pre-spawn-environ": {},
            "distributed.nanny.environ": {},
            "distributed.admin.log-format": "%(message)s",
            "distributed.worker.profile.enabled": False,
        }
    )
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with SpecCluster(
        workers={i: _worker(Nanny, folder, gpus[i % len(gpus)] if gpus else None) for i in range(n_workers)},
        scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False, "port": 0}},
        silence_logs=logging.CRITICAL,
    ) as cluster:
        cluster.wait_for_workers(n_workers)
        sys.stdout.write(cluster.scheduler_address + "\n")
        sys.stdout.flush()
        with Client(cluster, set_as_default=False) as client:
            # while kernels start, workers read the libraries that passes need
            reading = [client.submit(_read_libraries, workers=[each], pure=False) for each in client.nthreads()]
            sys.stdin.read()
            del reading
        # with the workers, whatever they are at
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _worker(kind: Any, folder: str, gpu: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "nthreads": 1,
        "memory_limit": 0,
        "local_directory": folder,
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
    }
    if gpu is not None:
        options["env"] = {"CUDA_VISIBLE_DEVICES": gpu}
    return {"cls": kind, "options": options}


def _read_libraries() -> None:
    for name in _LIBRARIES:
        # a shard that needs it says what is wrong with it
        with contextlib.suppress(Exception):
            importlib.import_module(name)


if __name__ == "__main__":
    main()
