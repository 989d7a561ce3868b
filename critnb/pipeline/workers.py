"""The workers of a command: processes of this machine that are started for it and end with it, or those of a scheduler."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from critnb.errors import StageFailedError
from critnb.pipeline.kernel import KernelEnd, environment
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun
from critnb.pipeline.sharing import may_be_elsewhere, number_fitting
from critnb.runs.scratch import Scratch
from critnb.system.cores import available_cores
from critnb.system.extras import CLUSTER

_HOLDER = "critnb.engine.dask_cluster"
_START_SECONDS, _END_SECONDS = 120.0, 10.0
# a folder for each GPU, as NVIDIA's driver lists them
_GPUS = Path("/proc/driver/nvidia/gpus")
_THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
# what the notebooks that this process runs by hand work with
_held = ExitStack()


@contextmanager
def workers_of(runs: Sequence[PlannedRun], options: RunOptions) -> Iterator[RunOptions]:
    """Yield the options with the address of the scheduler that kernels are to ask; nothing is started for the engine ``local``.

    Raises DependencyError where the extra is not installed or the scheduler that the options name does not answer.
    """
    if options.engine == "local":
        yield options
        return
    CLUSTER.require(f"compute.engine {options.engine}")
    if options.scheduler is not None:
        yield replace(options, scheduler=_answering(options.scheduler))
        return
    gpus = gpus_of(options, os.environ)
    n_workers = number_of_workers(runs, options, gpus)
    with local_workers(n_workers, gpus) as address:
        yield replace(options, scheduler=address)


def held_workers(runs: Sequence[PlannedRun], options: RunOptions) -> RunOptions:
    """Return the same options for a notebook run by hand; workers that are started for it end with this process."""
    _held.close()
    return _held.enter_context(workers_of(runs, options))


def gpus_of(options: RunOptions, given: Mapping[str, str]) -> list[str]:
    """Return the GPUs of NVIDIA that workers are to take in turn; none where one is named, or a model is divided among all."""
    if options.device not in ("auto", "cuda") or options.device_map != "none":
        return []
    if (visible := given.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [each for each in visible.split(",") if each]
    return [str(number) for number, _ in enumerate(_GPUS.iterdir())] if _GPUS.is_dir() else []


def number_of_workers(runs: Sequence[PlannedRun], options: RunOptions, gpus: Sequence[str]) -> int:
    """Return how many workers are started: as many as asked for, else one a GPU, else as many as cores and memory are for.

    One where all of them would compute on the same devices: a named one, Apple's, AMD's, those of a model that is divided.
    """
    if options.workers or gpus:
        return options.workers or len(gpus)
    if may_be_elsewhere(options) and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        return 1
    return max(1, number_fitting(available_cores(), runs))


@atexit.register
def _release() -> None:
    _held.close()


def threads_of_workers(n_workers: int, given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that leave each worker its part of the cores; what the user has set stays as it is."""
    return {name: str(max(1, available_cores() // n_workers)) for name in _THREADS if name not in given}


def _answering(scheduler: str) -> str:
    """Return the address of a scheduler that answers; raises DependencyError."""
    # not imported above: it takes a second, for which other commands need not wait
    from critnb.engine.dask_client import address_of, require_answer

    address = address_of(scheduler)
    require_answer(address)
    return address


@contextmanager
def local_workers(n_workers: int, gpus: Sequence[str] = ()) -> Iterator[str]:
    """Yield the address of the scheduler of new worker processes, which end with the context or with this process."""
    with Scratch() as scratch:
        threads = threads_of_workers(n_workers, os.environ)
        said = scratch / "workers.err"
        with said.open("wb") as stderr:
            holder = subprocess.Popen(
                [sys.executable, "-m", _HOLDER, str(n_workers), str(scratch), *gpus],
                env={**environment(scratch, os.environ), **threads},
                cwd=scratch,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            yield _address(holder, said)
        finally:
            # whatever they are at: nobody waits for it, and only kernels write
            with contextlib.suppress(ProcessLookupError):
                os.killpg(holder.pid, signal.SIGKILL)
            holder.communicate()


def _address(holder: subprocess.Popen[bytes], said: Path) -> str:
    """Return the address that the holder of the workers writes; raises StageFailedError with what it has ``said`` where it ends."""
    assert holder.stdout is not None
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends and holder.poll() is None:
        if select.select([holder.stdout], [], [], 0.2)[0]:
            if line := holder.stdout.readline().decode().strip():
                return line
            # it has closed what it writes to, so it is about to end
            with contextlib.suppress(subprocess.TimeoutExpired):
                holder.wait(_END_SECONDS)
            break
    if holder.poll() is not None:
        raise StageFailedError(f"the workers of this command {KernelEnd(said, code=holder.returncode).described()}")
    raise StageFailedError(
        f"the workers of this command did not start within {_START_SECONDS:g} s; use fewer (--workers), or --engine local"
    )
