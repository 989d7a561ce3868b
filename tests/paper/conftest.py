from __future__ import annotations

from pathlib import Path

import pytest
from paper import made_study

from critnb.canon import ModelRole
from critnb.paper.claims import RoleEvidence
from critnb.runs import RunStore


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> RunStore:
    return RunStore(Path(tmp_path_factory.mktemp("study")) / "runs")


@pytest.fixture(scope="session")
def base(store) -> RoleEvidence:
    return made_study.evidence_of(store, ModelRole.BASE)


@pytest.fixture(scope="session")
def instruct(store) -> RoleEvidence:
    return made_study.evidence_of(store, ModelRole.INSTRUCT)
