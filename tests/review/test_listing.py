"""A listing of many runs can be read: by stage and age, with what tells runs apart and which are of no more use."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from made import MODEL, PARAMS, begun, made

from critnb.canon import Exit, Stage
from critnb.cli.command_line import main
from critnb.contract.code import stage_constants, stage_files
from critnb.contract.lookup import spec_of
from critnb.contract.outdated import outdated
from critnb.review.index.files import size as size_in_words
from critnb.review.listing import Listed, age, listed, table
from critnb.runs import RunStore, notebook_source

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ROW = Listed(
    run_id="RUN_S02_0123456789ab",
    stage=Stage.S02,
    state="complete",
    model="a-family-of-models-1.7B-Instruct",
    role="INSTRUCT",
    created_utc="2026-05-04T09:00:00Z",
    bytes=1_300_000,
    differs_in={"nulls.seed": "1337", "windows.seq_len": "256"},
    stale=None,
    because=None,
    path="runs/RUN_S02_0123456789ab",
)


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


def with_seed(seed):
    return PARAMS | {"nulls": {"seed": seed}}


def test_runs_stand_by_stage_and_age_with_what_tells_them_apart(store):
    two = made(store, Stage.S02, params=with_seed(2), model=MODEL)
    usual = made(store, Stage.S02, params=with_seed(1337), model=MODEL)
    late = made(store, Stage.S03, upstream=[two], model=MODEL | {"id": "small"})
    other = made(store, Stage.S03, upstream=[usual])
    rows = listed(store)
    assert [row.run_id for row in rows] == [two.run_id, usual.run_id, late.run_id, other.run_id]
    # a default is told beside other values, and so is what only a run upstream has read
    seeds = [{"nulls.seed": "2"}, {"nulls.seed": "1337"}]
    assert [row.differs_in for row in rows] == [*seeds, *seeds]
    assert [row.model for row in rows] == ["tiny", "tiny", "small", "tiny"]
    assert rows[0].bytes == sum(path.stat().st_size for path in two.path.rglob("*") if path.is_file())


def test_what_a_run_that_is_gone_may_have_changed_is_not_told(store):
    two, usual = (made(store, Stage.S02, params=with_seed(seed), model=MODEL) for seed in (2, 1337))
    cut, other = (made(store, Stage.S03, upstream=[run]) for run in (two, usual))
    for number in (3, 4):
        made(store, Stage.S03, upstream=[made(store, Stage.S02, params=with_seed(number), model=MODEL)])
    shutil.rmtree(two.path)
    told = {row.run_id: row.differs_in for row in listed(store)}
    assert (told[cut.run_id], told[other.run_id]) == ({}, {"nulls.seed": "1337"})


def test_advice_is_for_this_folder_and_for_all_that_it_would_free(store, capsys):
    old = [made(store, Stage.S01, sources={"critnb/canon.py": f"{n:064x}"}) for n in range(3)][:2]
    size = sum(path.stat().st_size for run in old for path in run.path.rglob("*") if path.is_file())
    assert main(["list", "--runs-dir", str(store.root)]) == Exit.DONE
    assert f"{size_in_words(size)} to free: runner.py prune --runs-dir {store.root}" in capsys.readouterr().out
    for narrower in (["--stage", "S01"], ["--role", "BASE"], ["--model", "t"]):
        assert main(["list", "--runs-dir", str(store.root), *narrower]) == Exit.DONE
        assert "prune" not in capsys.readouterr().out


def sixty(*keys: str) -> list[Listed]:
    """A sweep of five seeds, and two lengths, over the stages, for two models."""
    models = [ROW.model, "a-family-of-models-360M"]
    return [
        replace(
            ROW,
            run_id=f"RUN_{stage}_{n:012x}",
            stage=stage,
            model=models[n % 2],
            differs_in={key: ROW.differs_in[key] for key in keys} | {"nulls.seed": str(1337 + n % 5)},
            stale="superseded" if n < 3 else None,
        )
        for stage in (Stage.S01, Stage.S02B, Stage.S06ARC)
        for n in range(20)
    ]


@pytest.mark.parametrize(("width", "keys"), [(80, ["nulls.seed"]), (120, ["nulls.seed", "windows.seq_len"])])
def test_sixty_runs_fit_a_terminal(width, keys):
    rows = sixty(*keys)
    heads, *lines, about, summary = table(rows, prune="prune", now=NOW, width=width)
    assert len(lines) == len(rows)
    assert max(map(len, [heads, *lines])) <= width
    places = [heads.index(word) for word in ("model", "age", "size", "state", "differs in")]
    for line, row in zip(lines, rows, strict=True):
        assert all(line[place - 1] == " " and line[place] != " " for place in places)
        assert line.startswith(row.run_id)
        assert line.endswith(", ".join(f"{key.split('.')[1]}={value}" for key, value in row.differs_in.items()))
        # two models of a family are told apart by their ends
        assert ("Instruct" in line) == ("Instruct" in row.model)
    assert about == "all of role INSTRUCT"
    assert summary == "60 runs, 78 MB, 9 superseded; 11.7 MB to free: prune"


def test_what_is_the_same_of_all_takes_no_column():
    heads, *_, model, summary = table([ROW, replace(ROW, run_id="RUN_S02_ba9876543210")], now=NOW)
    assert heads.split() == ["run", "age", "size", "differs", "in"]
    assert (model, summary) == (f"all of role INSTRUCT, model {ROW.model}", "2 runs, 2.6 MB")


def test_what_does_not_fit_goes_on_below():
    long = replace(ROW, differs_in={"gain.grid": "[0.8,1.0]", **{f"analysis.number_{n}": str(n) for n in range(9)}})
    heads, *lines = table([ROW, long], now=NOW, width=80)
    place = heads.index("differs in")
    assert max(map(len, lines[:-2])) <= 80
    assert len(lines) > 4
    assert {line[:place].strip() for line in lines[2:-2]} == {""}
    said = " ".join(line[place:].strip() for line in lines[1:-2])
    assert all(f"number_{n}={n}" in said for n in range(9))


def test_a_run_at_work_and_a_broken_record_are_listed(store):
    with begun(store, Stage.S01) as run:
        broken = made(store, Stage.S02)
        (broken.path / "run_record.json").chmod(0o644)
        (broken.path / "run_record.json").write_text("{")
        assert [(row.run_id, row.state) for row in listed(store)] == [
            (run.run_id, "running"),
            (broken.run_id, "unreadable"),
        ]
        assert any("record unreadable" in line for line in table(listed(store), now=NOW))


def of_now(stage: Stage) -> dict[str, object]:
    """What a run of this very pack rests on."""
    spec = spec_of(stage)
    constants = stage_constants(spec)
    return {
        "sources": stage_files(spec),
        "constants": constants,
        "notebook": notebook_source(spec_path(spec.notebook)),
    }


def spec_path(name: str):
    from critnb.canon import CANON, PACK_ROOT

    return PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / name


def test_runs_of_other_code_are_outdated_and_so_is_what_rests_on_them(store):
    now, later = of_now(Stage.S01), of_now(Stage.S02)
    same = made(store, Stage.S01, **now)
    changed = sorted(now["sources"])[0]
    old = made(store, Stage.S01, **{**now, "sources": {**now["sources"], changed: "0" * 64}}, params={"x": 1})
    constants = made(store, Stage.S01, **{**now, "constants": {"EPS": 2.0}}, params={"x": 2})
    above = made(store, Stage.S02, upstream=[old], **later)
    fine = made(store, Stage.S02, upstream=[same], **later, params={"x": 1})
    found = outdated(store.runs())
    assert found == {
        old.run_id: changed,
        constants.run_id: "spec/00_CANONICAL.yaml",
        above.run_id: changed,
    }
    assert fine.run_id not in found
    assert {row.run_id: row.stale for row in listed(store)} == {
        **dict.fromkeys(found, "outdated"),
        **dict.fromkeys([same.run_id, fine.run_id]),
    }


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["--stage", "s03"], ["late"]),
        (["--role", "INSTRUCT"], ["other"]),
        (["--model", "SMALL"], ["late"]),
        (["--stale"], ["old"]),
        (["--stage", "S03", "--role", "INSTRUCT"], []),
    ],
)
def test_a_list_can_be_narrowed(store, capsys, monkeypatch, words, kept):
    monkeypatch.setattr("critnb.review.listing.outdated", lambda runs: {})
    runs = {
        "old": made(store, Stage.S02, sources={"critnb/canon.py": "1" * 64}),
        "new": made(store, Stage.S02, sources={"critnb/canon.py": "2" * 64}),
        "late": made(store, Stage.S03, model=MODEL | {"id": "small"}),
        "other": made(store, Stage.S02, role="INSTRUCT"),
    }
    assert main(["list", "--runs-dir", str(store.root), *words]) == Exit.DONE
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines() if line.startswith("RUN_")] == [runs[n].run_id for n in kept]
    assert err == ("" if kept else f"{store.root} holds no such run\n")
    if kept == ["old"]:
        assert "superseded" in out


@pytest.mark.parametrize(
    ("created", "said"),
    [
        ("2026-05-04T11:59:30Z", "now"),
        ("2026-05-04T11:55:00Z", "5 min"),
        ("2026-05-04T09:00:00Z", "3 h"),
        ("2026-04-24T12:00:00Z", "10 d"),
        ("yesterday", "yesterday"),
    ],
)
def test_ages(created, said):
    assert age(created, NOW) == said
