"""The process that holds the workers of one command: a scheduler and worker processes of this machine.

It writes the scheduler's address on its stdout, and lives until its stdin is closed: the runner closes it at its end, and the
system does where the runner was killed. Its workers end with it. A worker that is lost is replaced.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

# a shard that so many workers were lost with is not tried again
_ALLOWED_FAILURES = 3


def main() -> None:
    """Hold workers: the arguments are how many, a folder for what they write, and whether each has a GPU of its own."""
    n_workers, folder, on_gpus = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "gpu"
    from dask import config
    from distributed import Nanny, Scheduler, SpecCluster

    config.set(
        {
            "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
            # threads and memory are set by the environment of this process, as for kernels
            "distributed.nanny.pre-spawn-environ": {},
            "distributed.nanny.environ": {},
            "distributed.admin.log-format": "%(message)s",
            "distributed.worker.profile.enabled": False,
        }
    )
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with SpecCluster(
        workers={i: _worker(Nanny, i, folder, on_gpus=on_gpus) for i in range(n_workers)},
        scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False, "port": 0}},
        silence_logs=logging.CRITICAL,
    ) as cluster:
        cluster.wait_for_workers(n_workers)
        sys.stdout.write(cluster.scheduler_address + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        # with the workers, whatever they are at
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _worker(kind: Any, number: int, folder: str, *, on_gpus: bool) -> dict[str, Any]:
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "nthreads": 1,
        "memory_limit": 0,
        "local_directory": folder,
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
    }
    if on_gpus:
        options["env"] = {"CUDA_VISIBLE_DEVICES": _visible(number)}
    return {"cls": kind, "options": options}


def _visible(number: int) -> str:
    """Return the device of a worker: one of those that this process may use, in turn."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = given.split(",") if given else [str(i) for i in range(_gpus())]
    return devices[number % len(devices)] if devices else ""


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


if __name__ == "__main__":
    main()
