"""A listing of many runs can be read: by stage and age, with what tells runs apart, and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from made import MODEL, PARAMS, begun, made

from critnb.canon import Exit, Stage
from critnb.cli.command_line import main
from critnb.review.listing import age, listed, table
from critnb.runs import RunStore

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


def with_seed(seed):
    return PARAMS | {"nulls": {"seed": seed}}


def test_runs_stand_by_stage_and_age_with_what_tells_them_apart(store):
    late = made(store, Stage.S03, params=with_seed(1), model=MODEL | {"id": "small"})
    two = made(store, Stage.S02, params=with_seed(2), model=MODEL)
    one = made(store, Stage.S02, params=with_seed(7), model=MODEL)
    rows = listed(store)
    assert [row.run_id for row in rows] == [two.run_id, one.run_id, late.run_id]
    assert [row.differs_in for row in rows] == [{"nulls.seed": "2"}, {"nulls.seed": "7"}, {}]
    assert [row.model for row in rows] == ["tiny", "tiny", "small"]
    assert rows[0].bytes == sum(path.stat().st_size for path in two.path.rglob("*") if path.is_file())


def test_a_listing_is_a_table_whose_columns_line_up(store):
    made(store, Stage.S02, params=with_seed(2), model=MODEL)
    made(store, Stage.S02, params=with_seed(7), model=MODEL | {"id": "a-model-of-a-longer-name"})
    heads, *lines = table(listed(store), now=NOW)
    places = [heads.index(word) for word in ("state", "model", "role", "made", "size", "differs in")]
    for line in lines:
        assert all(line[place - 1] == " " and line[place] != " " for place in places)
    assert lines[0].endswith("nulls.seed=2")


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


@pytest.mark.parametrize(
    ("created", "said"),
    [
        ("2026-05-04T11:59:30Z", "just now"),
        ("2026-05-04T11:55:00Z", "5 min ago"),
        ("2026-05-04T09:00:00Z", "3 h ago"),
        ("2026-04-24T12:00:00Z", "10 d ago"),
        ("yesterday", "yesterday"),
    ],
)
def test_ages(created, said):
    assert age(created, NOW) == said


def test_json_of_every_command_that_looks(store, capsys):
    old = made(store, Stage.S02, sources={"critnb/canon.py": "1" * 64})
    new = made(store, Stage.S02, sources={"critnb/canon.py": "2" * 64})
    runs = ["--runs-dir", str(store.root), "--json"]

    def asked(*words):
        assert main([*words]) == Exit.DONE
        return json.loads(capsys.readouterr().out)

    assert [row["run_id"] for row in asked("list", *runs)] == [old.run_id, new.run_id]
    assert asked("show", new.run_id, *runs) == json.loads((new.path / "run_record.json").read_text())
    (needless,) = asked("prune", *runs)
    assert needless == {
        **{"run_id": old.run_id, "path": str(old.path), "why": "superseded", "because": new.run_id},
        **{"bytes": listed(store)[0].bytes, "removed": False},
    }
    assert old.path.is_dir()
    assert asked("prune", "--delete", *runs)[0]["removed"] is True
    assert store.ids() == [new.run_id]
    assert asked("params", "base.yaml", "--json")["nulls"]["seed"] == 1337
