"""A store per test, and the miniature stage of ``ministage`` for tests and for the processes that they start."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from critnb.canon import PACK_ROOT
from critnb.runs import Run, RunStore

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def ministage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ministage", HERE / "ministage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def run(store: RunStore, ministage: ModuleType) -> Run:
    return ministage.make(store)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a script of this folder as a process; whatever still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def popen(script: str, *words: object, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / script), *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(PACK_ROOT)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, env=environment, **pipes, **options))
        return started[-1]

    yield popen
    for process in started:
        process.kill()
        process.communicate()
