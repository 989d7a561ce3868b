"""Many runs in one table: made ones, whose numbers follow a rule, come out with it, as text, data and page."""

from __future__ import annotations

import csv
import io
import json

import browser
import pytest
from made import made
from studies import study

from critnb.canon import Exit, Stage
from critnb.cli.command_line import main
from critnb.errors import DependencyError, ParamsError
from critnb.review.compare import side_by_side
from critnb.runs import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def runs(store):
    """Three runs: two seeds of a model, and another model as INSTRUCT, of which nothing was knocked out."""
    return [
        study(store, seed=1, gstar=0.9, b_tot=0.0, sigma=0.25),
        study(store, seed=2, gstar=1.0, b_tot=0.5, sigma=0.5),
        study(store, seed=1, gstar=1.1, b_tot=0.25, model="small", role="INSTRUCT"),
    ]


def test_a_row_per_condition_and_run(store, runs):
    found = side_by_side(store, [run.run_id for run in runs])
    rows = found.rows
    assert list(rows["target_rate"].unique()) == [0.01, 0.02]
    first = rows[rows["target_rate"] == 0.01]
    assert list(zip(first["g_condition"], first["run_id"], first["g"], strict=True)) == [
        *(("g1", run.run_id, 1.0) for run in runs),
        *(("gstar", run.run_id, g) for run, g in zip(runs, (0.9, 1.0, 1.1), strict=True)),
    ]
    assert first["gstar"].tolist() == [0.9, 1.0, 1.1] * 2
    # by the rule that the tables were made with
    offset = first["run_id"].map({run.run_id: b for run, b in zip(runs, (0.0, 0.5, 0.25), strict=True)})
    for name, value in {
        "b_tot": offset + first["g"],
        "b_tot_ci_low": offset + first["g"] - 0.1,
        "b_tot_ci_high": offset + first["g"] + 0.2,
        "delta_b_tot": (offset + first["g"]) / 2,
    }.items():
        assert first[name].tolist() == pytest.approx(value.tolist()), name
    assert first["sigma_depth"].fillna(-1).tolist() == [0.25, 0.5, -1] * 2
    assert first["sigma_depth_ci_high"].fillna(-1).tolist() == pytest.approx([0.26, 0.51, -1] * 2)
    apart = {"nulls.seed", "windows.seq_len"}
    assert [set(run.differs_in) for run in found.runs] == [apart] * 3
    assert [(run.model, run.role) for run in found.runs] == [("tiny", "BASE")] * 2 + [("small", "INSTRUCT")]


def test_the_whole_grid_on_demand_and_all_runs_if_none_is_named(store, runs):
    found = side_by_side(store, [], every_gain=True)
    assert [run.run_id for run in found.runs] == [run.run_id for run in runs]
    of_one = found.rows[found.rows["run_id"] == runs[0].run_id]
    assert of_one[of_one["target_rate"] == 0.02]["g"].tolist() == [1.0, 0.9, 1.1]


def test_a_paper_stands_for_the_runs_that_it_rests_on(store, runs):
    paper = made(store, Stage.S07, upstream=[runs[2], runs[0]], roles=["BASE", "INSTRUCT"])
    found = side_by_side(store, [paper.run_id, runs[0].run_id])
    assert [run.run_id for run in found.runs] == [runs[0].run_id, runs[2].run_id]


def test_what_cannot_be_compared_is_refused(store, runs, tmp_path):
    first = runs[0].record.dependencies[0].run_id
    with pytest.raises(
        ParamsError, match=rf"^{first} is of S01; name runs of S05, .*\nchoose from: runner.py list --stage"
    ):
        side_by_side(store, [first])
    with pytest.raises(DependencyError, match="holds no complete run of S05 to compare"):
        side_by_side(RunStore(tmp_path / "none"), [])


def test_the_command_s_forms_say_the_same(store, runs, capsys, tmp_path):
    def asked(*words: str) -> str:
        assert main(["compare", "--runs-dir", str(store.root), *words]) == Exit.DONE
        return capsys.readouterr().out

    rows = json.loads(asked("--json"))["conditions"]
    table = list(csv.DictReader(io.StringIO(asked("--csv"))))
    assert [{key: str(value if value is not None else "") for key, value in row.items()} for row in rows] == table
    lines = asked().splitlines()
    assert f"{runs[0].run_id}  g1  1     1.0000 [0.9000, 1.2000]  0.5000       0.2500 [0.2400, 0.2600]" in lines
    assert sum(line.startswith("RUN_") for line in lines) == len(runs) + len(rows)
    assert max(map(len, lines)) <= 120
    page = tmp_path / "pages" / "seeds.html"
    assert asked("--page", str(page)).strip().endswith("seeds.html")
    seen = browser.Elements(page.read_text())
    assert [(page.parent / target).resolve() for target in seen.targets()] == [
        (run.path / "notebook/phase5.html").resolve() for run in runs
    ]
    for row in rows:
        assert f"{row['b_tot']:.4f} [" in seen.text
    assert all(box["tabindex"] == "0" for box in seen.of_class("scroll"))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("x.txt", "it is written as HTML"),
        (".", "it is a folder"),
        ("runs/{run}/x.html", "nothing is ever written into a run"),
    ],
)
def test_a_page_lies_where_a_page_may(store, runs, capsys, tmp_path, monkeypatch, place, said):
    monkeypatch.chdir(tmp_path)
    words = ["compare", "--runs-dir", "runs", "--page", place.format(run=runs[0].run_id)]
    assert main(words) == Exit.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
