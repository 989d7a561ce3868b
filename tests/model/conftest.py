from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from models import save, tiny_llama


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Models of these sizes gain nothing from threads, and lose much where other processes want the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("models") / "tiny", tiny_llama(n_layers=2))


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    """A copy of the model that a test may spoil."""
    return shutil.copytree(saved, tmp_path / "tiny")
