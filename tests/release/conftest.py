from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made import made
from release.chains import chain, release_of, zipped

from critnb.canon import Stage
from critnb.release.zip_reader import unpack
from critnb.runs import RunStore


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A runs folder with a whole chain, and one run that the paper does not rest on."""
    root = tmp_path_factory.mktemp("chain") / "runs"
    store = RunStore(root)
    chain(store)
    made(store, Stage.S02, params={"events": {"tau0": 9.0}})
    return root


@pytest.fixture(scope="session")
def zip_file(folder) -> Path:
    return release_of(folder, folder.parent / "release.zip")


@pytest.fixture
def altered(zip_file, tmp_path) -> Callable[[Callable[[Path], None]], Path]:
    """Unpack the release, let a test do something to the folder, and pack what it left in the proper form."""

    def alter(change: Callable[[Path], None]) -> Path:
        folder = tmp_path / "unpacked"
        folder.mkdir()
        unpack(zip_file, folder)
        change(folder)
        files = (path for path in folder.rglob("*") if path.is_file())
        return zipped(
            tmp_path / "altered.zip", {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
        )

    return alter
