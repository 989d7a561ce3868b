"""What may be removed is what no kept run rests on; a chain of generations is built by hand and judged by eye."""

from __future__ import annotations

import itertools
import shutil

import pytest
from made import PARAMS, begun, made

from critnb.canon import Stage
from critnb.runs import RunStore, publish, verify
from critnb.runs.pruning import Needless, prunable, remove

SEEDS = ({"nulls": {"seed": 1}}, {"nulls": {"seed": 2}})


def code(n: int) -> dict[str, dict[str, str]]:
    return {"sources": {"critnb/canon.py": f"{n:064x}"}}


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def generations(store):
    """Two generations of a chain: the second has newer code in S02 and S03, and shares S01 with the first."""
    first = made(store, Stage.S01, **code(0))
    chains = []
    for n in (1, 2):
        grid = made(store, Stage.S02, upstream=[first], **code(n))
        chains.append((grid, made(store, Stage.S03, upstream=[grid], **code(n))))
    return first, chains


def found(store):
    return {each.run_id: (each.why, each.because) for each in prunable(store)}


def test_the_older_generation_goes_and_what_the_newer_one_rests_on_stays(store, generations):
    first, ((old_grid, old_raster), (grid, raster)) = generations
    assert found(store) == {
        old_raster.run_id: (Needless.superseded, raster.run_id),
        old_grid.run_id: (Needless.superseded, grid.run_id),
    }
    remove(store, prunable(store))
    assert set(store.ids()) == {first.run_id, grid.run_id, raster.run_id}
    assert not [finding for run in (first, grid, raster) for finding in verify(run.path)]
    assert prunable(store) == []
    assert not [path for path in store.root.iterdir() if "removed" in path.name]


def test_an_older_run_that_a_kept_one_rests_on_stays(store):
    old, new = made(store, Stage.S02, **code(1)), made(store, Stage.S02, **code(2))
    made(store, Stage.S03, upstream=[old])
    assert found(store) == {}
    assert {old.run_id, new.run_id} < set(store.ids())


@pytest.mark.parametrize(
    "apart",
    [
        [{"params": PARAMS | seed} for seed in SEEDS],
        [{"role": role} for role in ("BASE", "INSTRUCT")],
        [{"identity": {"model": {"weights_sha256": digit * 64}}} for digit in "12"],
        [{"identity": {"data": {"A": {"sha256": digit * 64}}}} for digit in "12"],
    ],
    ids=["params", "role", "model", "data"],
)
def test_runs_of_other_params_roles_models_or_data_do_not_supersede_each_other(store, apart):
    for words in apart:
        made(store, Stage.S02, **words)
    assert found(store) == {}


def test_a_run_whose_upstream_is_gone_is_an_orphan_and_so_is_all_that_was_made_from_it(store, generations):
    first, ((old_grid, old_raster), (grid, raster)) = generations
    shutil.rmtree(grid.path)
    assert found(store) == {raster.run_id: (Needless.orphaned, grid.run_id)}
    shutil.rmtree(first.path)
    assert found(store) == {
        raster.run_id: (Needless.orphaned, grid.run_id),
        old_grid.run_id: (Needless.orphaned, first.run_id),
        old_raster.run_id: (Needless.orphaned, first.run_id),
    }


def test_a_run_that_cannot_be_read_or_is_being_made_again_is_not_gone(store, generations):
    first, ((old_grid, old_raster), (grid, raster)) = generations
    before = found(store)
    (first.path / "run_record.json").chmod(0o644)
    (first.path / "run_record.json").write_text("{")
    assert found(store) == before
    shutil.rmtree(first.path)
    with store.create(first.run_id):
        assert found(store) == before
    assert {*found(store)} >= {each.run_id for each in (old_grid, old_raster, grid, raster)}


def test_runs_go_before_those_that_they_were_made_from(store):
    run = made(store, Stage.S01, **code(9))
    above = [run.run_id]
    for stage in (Stage.S02, Stage.S03, Stage.S04):
        run = made(store, stage, upstream=[run])
        above.append(run.run_id)
    shutil.rmtree(store.path(above[0]))
    assert [each.run_id for each in prunable(store)] == above[:0:-1]


def test_a_run_at_work_is_no_abandoned_one(store):
    run = begun(store)
    assert prunable(store) == []
    run.fail("cut off")
    run.close()
    (left,) = prunable(store)
    assert (left.path, left.why) == (run.path, Needless.abandoned)
    with store.create(run.run_id, allow_resume=True):
        remove(store, [left])
        assert run.path.is_dir()
    remove(store, [left])
    assert not run.path.exists()


def test_a_removal_that_is_cut_off_leaves_nothing_that_looks_like_a_run(store, generations, monkeypatch):
    _, ((_, old_raster), _) = generations
    doomed = prunable(store)
    calls = itertools.count()

    def cut(path, **words):
        if next(calls) % 2:  # the first call clears what an earlier removal may have left
            raise KeyboardInterrupt
        return

    monkeypatch.setattr(publish.shutil, "rmtree", cut)
    with pytest.raises(KeyboardInterrupt):
        remove(store, doomed)
    assert old_raster.run_id not in store.ids()
    monkeypatch.undo()
    remove(store, prunable(store))
    assert prunable(store) == []
