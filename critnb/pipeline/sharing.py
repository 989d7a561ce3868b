"""How the stages of one command share the machine: how many are at work at once, and how many threads each may use.

Neither reaches a result on purpose: work is divided so that its order does not matter, and the number of threads is the same for
all stages of a command, whichever of them happen to run beside each other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun
from critnb.pipeline.schedule import width
from critnb.system.cores import available_cores
from critnb.system.gpu import has_gpu_driver

# linear algebra follows the first; the last is how many workers the engine starts
_THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
# a plan of two roles seldom has more to do at once, and each kernel takes memory
_MOST_JOBS = 4
# a kernel with its libraries and rasters; weights count twice, since some are held in a wider dtype than they are stored in
_KERNEL_BYTES = 2 * 10**9
_WEIGHTS_FACTOR = 2
# of control groups, version 2 and 1; a word or a very large number where there is none
_LIMITS_OF_GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def needs_of(runs: Iterable[PlannedRun]) -> dict[str, tuple[str, ...]]:
    """Return the ids of the runs, each with those that it rests on."""
    return {run.run_id: tuple(run.inputs.upstream.values()) for run in runs}


def number_of_jobs(runs: Sequence[PlannedRun], options: RunOptions) -> int:
    """Return how many of the runs may be at work at once: what ``--jobs`` says, else as many as cores and memory are for.

    It is never more than these runs can have at work at once, so that a stage with nothing beside it has all cores.
    """
    jobs = options.jobs if options.jobs is not None else min(_MOST_JOBS, number_fitting(available_cores(), runs))
    return max(1, min(jobs, width(needs_of(runs))))


def number_fitting(n_cores: int, runs: Sequence[PlannedRun]) -> int:
    """Return how many processes, each with the model of a run, cores and memory are for."""
    given = os.environ.get(_THREADS[0], "")
    by_cores = n_cores // max(1, int(given)) if given.isdecimal() else n_cores
    memory = _available_memory()
    if memory is None:
        return by_cores
    return min(
        by_cores, memory // (_KERNEL_BYTES + _WEIGHTS_FACTOR * max((run.model_bytes for run in runs), default=0))
    )


def thread_variables(jobs: int) -> dict[str, str]:
    """Return the variables that leave each of several kernels its part of the cores; what the user has set stays as it is."""
    if jobs == 1:
        return {}
    return {name: str(max(1, available_cores() // jobs)) for name in _THREADS if name not in os.environ}


def one_at_a_time(runs: Iterable[PlannedRun], options: RunOptions) -> list[str]:
    """Return the ids of the runs that may have to share one device other than the processor, which has memory for one model."""
    return [run.run_id for run in runs if run.spec.uses_model] if may_be_elsewhere(options) else []


def may_be_elsewhere(options: RunOptions) -> bool:
    """Tell whether models may be computed on a device other than the processor."""
    there_may_be_one = sys.platform == "darwin" or has_gpu_driver()
    return options.device != "cpu" and (options.device != "auto" or there_may_be_one)


def _available_memory() -> int | None:
    """Return the bytes of memory that new processes can have, None where the system does not say."""
    found = [each for each in (_free_in_system(), _limit_of_group()) if each is not None]
    return min(found) if found else None


def _free_in_system() -> int | None:
    listing = Path("/proc/meminfo")
    lines = listing.read_text(encoding="ascii").splitlines() if listing.is_file() else []
    values: Mapping[str, int] = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return values.get("MemAvailable")


def _limit_of_group() -> int | None:
    for limit in _LIMITS_OF_GROUPS:
        text = limit.read_text(encoding="ascii").strip() if limit.is_file() else ""
        if text.isdecimal():
            return int(text)
    return None
