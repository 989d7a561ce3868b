from __future__ import annotations

import pytest
from explore import chains

from critnb.explore.chain import find_chains
from critnb.explore.inputs import WindowTexts
from critnb.explore.state import ExplorerState
from critnb.lattice import Raster
from critnb.runs import RunStore


@pytest.fixture(scope="session")
def raster() -> Raster:
    return chains.real_raster()


@pytest.fixture(scope="session")
def whole_chain(raster, tmp_path_factory) -> RunStore:
    """A folder with S03, S04 and S05."""
    store = RunStore(tmp_path_factory.mktemp("made") / "runs")
    s03 = chains.make_s03(store, raster)
    s04 = chains.make_s04(store, raster, s03)
    chains.make_s05(store, raster, s03, s04)
    return store


@pytest.fixture
def whole_state(whole_chain) -> ExplorerState:
    """The first selection in that folder."""
    return ExplorerState(find_chains(whole_chain.root)[0], lambda _: WindowTexts(reason="made of numbers"))


@pytest.fixture
def rasters_only(raster, tmp_path) -> RunStore:
    """A folder with S03 alone."""
    store = RunStore(tmp_path / "runs")
    chains.make_s03(store, raster)
    return store
