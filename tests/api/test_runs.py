"""Finished runs opened in one's own notebook."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from made import MODEL, made

import critnb
from critnb.canon import CANON, DatasetRole, Intervention, ModelRole, SpikeDef, Stage
from critnb.cli.command_line import _parser
from critnb.contract import named
from critnb.errors import DataError, DependencyError, IntegrityError, ParamsError
from critnb.gates import Gate
from critnb.lattice import Condition, ConditionTable, Raster
from critnb.runs import RunStore

GATE = Gate.judge("a number", passed=True, value=2.0, condition="above one")
OUT = CANON.OUTPUT


def raster() -> Raster:
    conditions = ConditionTable(
        Condition(ModelRole.BASE, DatasetRole.A, SpikeDef.SPIKE_ONE_SIDED_POS, rate, gain, Intervention.MLP_GLOBAL)
        for gain in (1.0, 1.2)
        for rate in (0.01, 0.02)
    )
    counts = np.random.default_rng(0).poisson(0.4, (4, 9, 2, 12)).astype(np.uint16)
    return Raster(counts, conditions, np.arange(9, dtype=np.int32) * 3)


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path / "runs")
    s01 = made(store, Stage.S01)
    kept = raster()
    files = {
        f"results/{OUT.RASTER_NPZ_BASENAME}": kept.arrays(),
        f"results/{OUT.CONDITIONS_PARQUET_BASENAME}": kept.conditions.to_frame(),
    }
    s03 = made(store, Stage.S03, upstream=[s01], files=files, model=MODEL)
    frame = pd.DataFrame({"g": [1.0, 1.2], "b_tot": [0.5, 0.6]})
    table = f"tables/{CANON.TABLE.T01_SUMMARY}.parquet"
    figure = f"figs/{CANON.FIGURE.F03_BRANCHING_CURVES}"
    views = {f"{figure}.png": b"png", f"{figure}.pdf": b"pdf", "notebook/x.html": b"<p>"}
    made(store, Stage.S05, upstream=[s03], files={table: frame, **views}, gates=[GATE])
    return store


@pytest.fixture
def run(store):
    return critnb.open_run("S05", runs_dir=store.root)


def test_a_run_is_found_by_stage_id_and_path(store, run, monkeypatch):
    assert run.stage is Stage.S05
    monkeypatch.chdir(store.root.parent)
    relative = run.path.relative_to(store.root.parent)
    for name in (run.path, str(run.path), relative):
        assert critnb.open_run(name).path == run.path
    for name in (run.run_id, "S05"):
        assert critnb.open_run(name, runs_dir="runs").path == run.path
    assert critnb.list_runs("runs")["stage"].tolist() == ["S01", "S03", "S05"]


def test_the_newest_run_of_a_stage_is_meant(store):
    newer = made(store, Stage.S05, params={"events": {"tau0": 3.0}})
    assert critnb.open_run("S05", runs_dir=store.root).run_id == newer.run_id


def test_where_several_roles_have_run_one_has_to_be_named(store, run):
    other = made(store, Stage.S05, role="INSTRUCT", params={"events": {"tau0": 3.0}})
    with pytest.raises(ParamsError, match='several model roles; give role="BASE" or role="INSTRUCT"'):
        critnb.open_run("S05", runs_dir=store.root)
    assert critnb.open_run("S05", runs_dir=store.root, role="BASE").run_id == run.run_id
    found = critnb.open_run("S05", runs_dir=store.root, role="INSTRUCT")
    assert (found.run_id, found.role) == (other.run_id, "INSTRUCT")


def test_where_several_models_have_run_one_has_to_be_named(store, run):
    upstream = made(store, Stage.S03, model=MODEL | {"id": "small"}, params={"events": {"tau0": 3.0}})
    other = made(store, Stage.S05, upstream=[upstream])
    assert [critnb.open_run(each, runs_dir=store.root).models for each in (run.run_id, other.run_id)] == [
        ("tiny",),
        ("small",),
    ]
    with pytest.raises(ParamsError) as refused:
        critnb.open_run("S05", runs_dir=store.root)
    assert str(refused.value).splitlines() == [
        f'{store.root} holds runs of S05 of several models; give model="..." or the id of a run',
        f"the newest of each: tiny ({run.run_id}), small ({other.run_id})",
    ]
    assert critnb.open_run("S05", runs_dir=store.root, model="small").run_id == other.run_id
    with pytest.raises(
        DependencyError, match=r"no run of S05 of model smal; did you mean small\?\nit holds tiny \(RUN_"
    ):
        critnb.open_run("S05", runs_dir=store.root, model="smal")
    listed = critnb.list_runs(store.root).set_index("run_id")["model"]
    assert (listed[run.run_id], listed[other.run_id]) == ("tiny", "small")


def test_a_run_over_all_roles_is_of_each_of_them(store, run):
    other = made(store, Stage.S05, role="INSTRUCT", params={"events": {"tau0": 3.0}})
    joined = made(store, Stage.S07, upstream=[run.run, other], roles=["BASE", "INSTRUCT"])
    for role in (None, "BASE", "INSTRUCT"):
        assert critnb.open_run("S07", runs_dir=store.root, role=role).run_id == joined.run_id
    assert set(critnb.list_runs(store.root)["role"]) == {"BASE", "INSTRUCT", "BASE+INSTRUCT"}


def test_tables_figures_and_gates(run):
    assert run.table("T01")["b_tot"].tolist() == run.table("T01_SUMMARY")["b_tot"].tolist() == [0.5, 0.6]
    assert list(run.tables()) == ["T01_SUMMARY"]
    assert run.figure("F03", "pdf").read_bytes() == b"pdf"
    assert list(run.figures()) == ["F03_BRANCHING_CURVES"]
    assert run.notebook.read_bytes() == b"<p>"
    assert run.gates()[["name", "verdict"]].to_numpy().tolist() == [["a number", "pass"]]
    assert run.params["events"] == {"tau0": 2.5}
    assert run.verify() == []
    assert "1 of 1 gates passed" in repr(run)
    assert "T01_SUMMARY" in repr(run)
    assert "above one" in run._repr_html_()


def test_upstream_goes_as_far_as_the_chain(run):
    assert run.upstream("S03").upstream("S01").run_id == run.upstream("S01").run_id
    with pytest.raises(
        DependencyError, match="was made from no run of S02 that can be opened; it was made from RUN_S03"
    ):
        run.upstream("S02")


def test_a_run_that_is_gone_does_not_hide_the_others(run):
    shutil.rmtree(run.upstream("S01").path)
    assert run.upstream("S03").stage is Stage.S03
    with pytest.raises(DependencyError, match=r"no run of S01 .*\nRUN_S01_\w+ in .* is absent"):
        run.upstream("S01")


def test_a_role_tells_joined_runs_apart(store):
    pair = [made(store, Stage.S05, role=role, params={"x": {"y": role}}) for role in ("BASE", "INSTRUCT")]
    ends = [made(store, stage, upstream=[run]) for stage, run in zip((Stage.S06B, Stage.S06ARC), pair, strict=True)]
    joined = made(store, Stage.S07, upstream=ends)
    run = critnb.open_run(joined.path)
    with pytest.raises(DependencyError, match="several runs of S05: give role"):
        run.upstream("S05")
    assert run.upstream("S05", role="INSTRUCT").run_id == pair[1].run_id


def test_the_raster_of_a_condition_and_of_a_sequence(run):
    kept, s03 = raster(), run.upstream("S03")
    events = s03.raster(gain=1.2, target_rate=0.01)
    np.testing.assert_array_equal(events.counts, kept.counts[2])
    np.testing.assert_array_equal(events.sequence(7), kept.counts[2, 7])
    assert (events.n_units, events.key) == (8, kept.conditions[2].key())
    assert events.seq_id.tolist() == kept.seq_id.tolist()
    assert len(s03.conditions()) == 4


def test_a_condition_that_is_none_or_many_is_told_with_the_choices(run):
    s03 = run.upstream("S03")
    with pytest.raises(
        DataError, match=r"2 conditions of RUN_S03_\w+ are .*choose among {'target_rate': \[0.01, 0.02\]}"
    ):
        s03.raster(gain=1.2)
    with pytest.raises(DataError, match=r"0 conditions .*choose among {'gain': \[1.0, 1.2\]}"):
        s03.raster(gain=1.1)
    with pytest.raises(TypeError, match="a condition has no field rate"):
        s03.raster(rate=0.01)
    with pytest.raises(DependencyError, match="holds no raster; take its upstream run of S02 or S03"):
        run.raster(gain=1.2)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda run: run.table("T99"), "holds no T99 as .parquet; it holds T01_SUMMARY"),
        (lambda run: run.figure("F03", "svg"), "holds no F03 as .svg; it holds none"),
        (
            lambda run: critnb.open_run("S04", runs_dir=run.path.parent),
            "no complete run of S04; make it with: runner.py phase4_",
        ),
        (lambda run: critnb.open_run("RUN_S05_0123456789ab", runs_dir=run.path.parent), "is absent, not complete"),
        (lambda run: critnb.open_run("nonsense", runs_dir=run.path.parent), "'nonsense' is no run id"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(run, ask, words):
    with pytest.raises(DependencyError, match=words):
        ask(run)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("role", [None, "INSTRUCT"])
def test_the_command_that_would_make_a_run_is_one(tmp_path, stage, role):
    with pytest.raises(DependencyError) as caught:
        critnb.open_run(stage, runs_dir=tmp_path, role=role)
    asked = _parser().parse_args(str(caught.value).partition("runner.py ")[2].split())
    assert stage in {spec.id for spec in named(asked.word)}
    assert asked.role == role


def test_an_unknown_role_is_refused(store):
    with pytest.raises(ParamsError, match="role: 'TEACHER' is none of BASE, INSTRUCT"):
        critnb.open_run("S05", runs_dir=store.root, role="TEACHER")


def test_nothing_is_read_from_a_changed_file(run):
    figure = run.path / "figs" / f"{CANON.FIGURE.F03_BRANCHING_CURVES}.png"
    figure.chmod(0o644)
    figure.write_bytes(b"pmg")
    with pytest.raises(IntegrityError, match="is not the file that its record names"):
        run.figure("F03")
    assert len(run.verify()) == 1


def test_two_runs_are_compared_in_lines(store, run):
    other = made(store, Stage.S05, upstream=[run.upstream("S03").run], params={"events": {"tau0": 3.0}})
    assert "events.tau0: 2.5 -> 3.0" in repr(critnb.compare_runs(run, other.run_id, runs_dir=store.root))
    with pytest.raises(ParamsError, match="only runs of one stage"):
        critnb.compare_runs(run, run.upstream("S03"))
