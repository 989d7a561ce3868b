"""A store per test, the miniature stage, and processes that begin at once with the pack imported already."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

import pytest

from critnb.runs import Run, RunStore

# The processes that tests start import these modules by name.
sys.path.insert(0, str(Path(__file__).parent))
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["critnb.runs", "hypothesis"])


@pytest.fixture(scope="session")
def ministage() -> ModuleType:
    import ministage

    return ministage


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def run(store: RunStore, ministage: ModuleType) -> Run:
    return ministage.make(store)


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[BaseProcess, Connection]]]:
    """Start ``target(*words, channel)`` as a process; whatever still runs at the end of the test is killed."""
    started: list[tuple[BaseProcess, Connection]] = []

    def begin(target: Callable[..., None], *words: object, channel: bool = True) -> tuple[BaseProcess, Connection]:
        ours, theirs = _FORKS.Pipe()
        process = _FORKS.Process(target=target, args=(*words, theirs) if channel else words)
        process.start()
        theirs.close()
        started.append((process, ours))
        return started[-1]

    yield begin
    for process, channel in started:
        process.kill()
        process.join()
        process.close()
        channel.close()
