"""What every test relies on: threads divided among workers, what they share, and markers that skip or leave out."""

from __future__ import annotations

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    # torch processes that each take every core spin against each other; programs that tests start inherit this
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

import gc
import sys
from pathlib import Path
from typing import Any

import pytest

# what is imported and collected stays: to look for what may go took half of the time that this takes
gc.disable()
SHARED = Path(__file__).resolve().parents[2] / "shared"
# `make quick` leaves these out: whole chains, real kernels and browsers, pages and figures, zips, many architectures
SLOW = (
    *("tests/pipeline/", "tests/release/", "tests/report/", "tests/paper/", "tests/by_hand/", "tests/api/test_import"),
    *("tests/test_wheel", "tests/test_lab", "tests/test_warm_kernels", "tests/test_terminal", "tests/test_extras"),
    "tests/test_stage_code",
    *("tests/stages/test_added_null", "tests/stages/test_known_answers", "tests/stages/test_paper_views"),
    *("tests/model/test_architectures", "tests/model/test_choices", "tests/criticality/test_imports"),
)
# one worker does all of a folder whose tests look at what is made once for them
TOGETHER = ("tests/release/", "tests/report/", "tests/paper/")
# What workers begin with, so that none waits for another: one makes the chain of all stages, and others what needs no chain;
# at the end stand the many short ones.
FIRST = (
    *("tests/pipeline/notebooks/test_nbval", "tests/test_wheel", "tests/stages/test_added_null", "tests/release/"),
    *("tests/pipeline/", "tests/paper/", "tests/report/", "tests/test_", "tests/model/", "tests/stages/"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    gpu = "torch" in sys.modules and sys.modules["torch"].cuda.is_available()
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no {SHARED}"))
        if item.get_closest_marker("gpu") and not gpu:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
    if workers:
        items.sort(key=_turn)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


# xdist's own groups are marks that it writes into the ids of tests, which pytest 9.2 does not let it
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand a worker all tests of a module at once, or of a folder of ``TOGETHER``."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next(filter(nodeid.startswith, TOGETHER), nodeid.partition("::")[0])

    return Together(config, log)


def _turn(item: pytest.Item) -> int:
    return next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))


@pytest.fixture(scope="session")
def shared() -> Path:
    return SHARED
