"""The runs that a run was made from, also where some of them are gone."""

from __future__ import annotations

import shutil

import pytest
from made import made

from critnb.canon import PACK_ROOT, Stage
from critnb.errors import DependencyError
from critnb.runs import RunStore, ancestors, runs_folder


@pytest.fixture
def chain(tmp_path):
    """Store, then S01 -> S02 -> S02B, S02 -> S03 -> S05 (which needs S02B, too): a diamond."""
    store = RunStore(tmp_path / "runs")
    s01 = made(store, Stage.S01)
    s02 = made(store, Stage.S02, upstream=[s01])
    s02b = made(store, Stage.S02B, upstream=[s02])
    s03 = made(store, Stage.S03, upstream=[s02])
    s05 = made(store, Stage.S05, upstream=[s03, s02b])
    return store, {run.stage: run for run in (s01, s02, s02b, s03, s05)}


def test_every_ancestor_is_found_once_the_nearest_first(chain):
    store, runs = chain
    found = ancestors(store, [runs[Stage.S05]])
    assert [run.stage for run in found.every()] == [Stage.S03, Stage.S02B, Stage.S02, Stage.S01]
    assert found.missing == {}
    both = ancestors(store, [runs[Stage.S05], runs[Stage.S02]])
    assert [run.stage for run in both.runs] == [Stage.S03, Stage.S02B, Stage.S01]


def test_a_run_that_is_gone_hides_only_what_no_other_run_names(chain):
    store, runs = chain
    shutil.rmtree(runs[Stage.S03].path)
    found = ancestors(store, [runs[Stage.S05]])
    assert [run.stage for run in found.runs] == [Stage.S02B, Stage.S02, Stage.S01]
    assert list(found.missing) == [runs[Stage.S03].run_id]
    with pytest.raises(DependencyError, match=runs[Stage.S03].run_id):
        found.every()


def test_the_folder_of_runs_is_the_pack_s_unless_one_is_given(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert runs_folder() == PACK_ROOT / "runs"
    assert runs_folder("runs") == tmp_path / "runs"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runs_folder("~/elsewhere") == tmp_path / "elsewhere"
