"""What every test relies on: threads divided among workers, tests that share runs kept together, and markers that skip."""

from __future__ import annotations

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    # torch processes that each take every core spin against each other; programs that tests start inherit this
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

import sys
from pathlib import Path

import pytest

# the fixture of tests/pipeline that runs every stage once
SHARED_CHAIN = "whole"
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    gpu = "torch" in sys.modules and sys.modules["torch"].cuda.is_available()
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no {SHARED}"))
        if item.get_closest_marker("gpu") and not gpu:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
        if workers:
            item.add_marker(pytest.mark.xdist_group(_together(item)))
    if workers:
        items.sort(key=lambda item: not _is_long(item))


def _together(item: pytest.Item) -> str:
    """Name the tests that one worker does: all that look at the one whole chain of runs, otherwise those of a module."""
    return SHARED_CHAIN if SHARED_CHAIN in getattr(item, "fixturenames", ()) else item.nodeid.partition("::")[0]


def _is_long(item: pytest.Item) -> bool:
    """Tell what a worker should begin with, so that no worker waits for another at the end."""
    return "tests/pipeline/" in item.nodeid or item.nodeid.startswith(("tests/test_lab", "tests/test_wheel"))


@pytest.fixture(scope="session")
def shared() -> Path:
    return SHARED
