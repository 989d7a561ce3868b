from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from critnb.runs import RunStore


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"word": ["x", "y", "z"], "b": [0.1, 0.2, 0.3]})


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")
