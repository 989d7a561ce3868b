from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kept
import pytest
from paper import made_study

from critnb.canon import ModelRole
from critnb.paper.claims import RoleEvidence
from critnb.runs import RunStore


@pytest.fixture(scope="session", autouse=True)
def _kept() -> Iterator[None]:
    with kept.steps_of_the_paper():
        yield


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> RunStore:
    return RunStore(Path(tmp_path_factory.mktemp("study")) / "runs")


@pytest.fixture(scope="session")
def base(store) -> RoleEvidence:
    return made_study.evidence_of(store, ModelRole.BASE)


@pytest.fixture(scope="session")
def instruct(store) -> RoleEvidence:
    return made_study.evidence_of(store, ModelRole.INSTRUCT)
