"""How many processors this process may use: fewer than the machine has where a scheduler or a container says so."""

from __future__ import annotations

import os
from collections.abc import Mapping

_OF_THREADS = "OMP_NUM_THREADS"


def available_cores() -> int:
    """Return how many processors affinity, the quota of a control group and LOKY_MAX_CPU_COUNT leave; at least 1."""
    # not imported above: commands that compute nothing need not wait for it
    from joblib import cpu_count

    return int(cpu_count())


def threads_of_quota(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that keeps numeric libraries within a quota, where the environment ``given`` does not set it.

    They count the processors of the affinity mask and know nothing of quotas: on 128 processors of which a container may use
    the time of 4, they would start 128 threads that wait for each other.
    """
    cores = available_cores()
    limited = hasattr(os, "sched_getaffinity") and cores < len(os.sched_getaffinity(0))
    return {_OF_THREADS: str(cores)} if limited and _OF_THREADS not in given else {}
