"""What workers share is made by one of them, and a failure is not kept."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from once import once


@pytest.fixture
def factories(tmp_path, monkeypatch) -> list[SimpleNamespace]:
    """The temporary folders of two workers."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    return [SimpleNamespace(getbasetemp=lambda name=name: tmp_path / name) for name in ("popen-gw0", "popen-gw1")]


def test_workers_that_ask_at_once_get_one_folder_made_once(factories):
    made = []

    def make(folder):
        made.append(folder)
        time.sleep(0.1)
        (folder / "file").write_text("whole")

    with ThreadPoolExecutor(2) as workers:
        found = list(workers.map(lambda factory: (once(factory, "it", make) / "file").read_text(), factories))
    assert found == ["whole", "whole"]
    assert len(made) == 1


def test_what_was_not_made_to_its_end_is_made_anew(factories):
    def fail(folder):
        (folder / "half").touch()
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        once(factories[0], "it", fail)
    folder = once(factories[1], "it", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
