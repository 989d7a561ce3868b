"""What the benchmarks share: the machine in a line, works timed in turn, the peak memory of a process.

Import it before numpy: it asks for one thread, which libraries read when they are loaded.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_PACKAGES = ("numpy", "scipy", "numba")


def machine(*packages: str, threads: str = "") -> str:
    """Return date, processor, cores, load, threads (this process's if not given) and versions: the head of every figure."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in (*_PACKAGES, *packages))
    threads = threads or f"{os.environ['OMP_NUM_THREADS']} thread"
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{when}; {model}, {os.cpu_count()} cores, load {load}; {threads}; "
        f"Python {platform.python_version()}, {versions}"
    )


@dataclass(frozen=True)
class Spread:
    """Processor seconds of the repeats of one work."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, times: list[float]) -> Spread:
        return cls(median(times), min(times), max(times))


def in_turn(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Spread]:
    """Time each of the works once in every round, so that a slow moment of the machine hits all of them.

    Processor seconds of this process, so that other processes count only through caches and clock rates. What takes less
    than a fiftieth of a second is done often enough in a row to take that long.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    often = {name: max(1, int(0.02 / max(_seconds(work, 1), 1e-7))) for name, work in works.items()}
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(_seconds(work, often[name]))
    return {name: Spread.of(each) for name, each in times.items()}


def _seconds(work: Callable[[], object], often: int) -> float:
    start = time.process_time()
    for _ in range(often):
        work()
    return (time.process_time() - start) / often


def one_core() -> None:
    """Keep this process and those that it starts on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def reset_peak() -> None:
    """Let the peak memory of this process begin again at what it holds now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Return this process's peak resident memory in MiB; getrusage would count what the forking parent had."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024
