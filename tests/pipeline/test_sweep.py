"""A sweep as a user runs it: shared runs once, failures apart, parts of an array, and the table of what is finished."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from critnb.canon import CANON, Exit, NullId, Stage
from critnb.cli import stages
from critnb.cli import sweep as sweeps
from critnb.cli.command_line import main
from critnb.errors import StageFailedError
from critnb.pipeline.kernels import Kernels
from critnb.report.schema import SCHEMAS
from critnb.report.tables import table_path
from critnb.review.sweep import SWEEP_TABLE
from critnb.runs import RunStore

OUT = CANON.OUTPUT
T = CANON.TABLE
ENTRIES = """
- {name: as it is}
- {name: more replicates, analysis.bootstrap_reps: 60}
"""


def table(run, name: str) -> pd.DataFrame:
    return run.parquet(table_path(SCHEMAS[name], ".parquet"))


def test_a_part_plans_its_own_entries_alone(sweep, monkeypatch):
    planned = []
    plan = sweeps.plan_entries
    monkeypatch.setattr(
        sweeps, "plan_entries", lambda entries, **how: planned.append(len(entries)) or plan(entries, **how)
    )
    code, out, _ = sweep("--dry-run", "--array", "2/2")
    assert (code, planned) == (Exit.DONE, [1])
    assert out[0] == "entry 2 of 2  more replicates"


@pytest.fixture
def runs(whole, tmp_path) -> Path:
    """A runs folder with the chain of the first entry up to S05."""
    shutil.copytree(whole, tmp_path / "runs", ignore=shutil.ignore_patterns("RUN_S0[678]*", "index.html"))
    return tmp_path / "runs"


@pytest.fixture
def sweep(inputs, tmp_path, runs, capsys):
    """Run a sweep in this process; returns its exit code and its lines on stdout and stderr."""

    def run(*options: str, entries: str = ENTRIES) -> tuple[int, list[str], list[str]]:
        file = tmp_path / "two.yaml"
        file.write_text(entries)
        words = ["sweep", str(file), "--params", str(inputs / "params.yaml"), "--runs-dir", str(runs), *options]
        code = main(words)
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err.splitlines()

    return run


@pytest.fixture
def stand_in(runs, whole, monkeypatch):
    """Make runs without a kernel: those of the whole chain are copied from it, all others fail; returns what was asked for."""
    asked: Counter[str] = Counter()

    def execute(planned, store, options, **_):
        asked[planned.run_id] += 1
        if not (whole / planned.run_id).is_dir():
            raise StageFailedError(f"{planned.spec.id}: cell 3: no such thing")
        shutil.copytree(whole / planned.run_id, store.path(planned.run_id))
        return store.open(planned.run_id)

    monkeypatch.setattr(stages, "execute", execute)
    monkeypatch.setattr(stages, "_kernels", lambda *_: contextlib.nullcontext(Kernels()))
    return asked


def test_a_plan_names_shared_runs_once_and_makes_nothing(sweep, runs):
    before = sorted(path.name for path in runs.iterdir())
    code, out, _ = sweep("--dry-run")
    assert code == Exit.DONE
    assert [line for line in out if line.startswith("entry ")] == [
        "entry 1 of 2  as it is",
        "entry 2 of 2  more replicates",
    ]
    second = out[out.index("entry 2 of 2  more replicates") + 1 : -1]
    kinds = {line.split()[0]: line.split("  ")[-1] for line in second}
    # what the number of replicates enters from g* on
    assert {stage for stage, kind in kinds.items() if kind == "as entry 1"} == {"S00", "S01", "S02"}
    assert {stage for stage, kind in kinds.items() if kind == "run"} == {"S02B", "S03", "S04", "S04K", "S05"}
    assert out[-1] == "2 of 2 entries, 13 runs: 5 to make, 8 complete"
    _, out, _ = sweep("--dry-run", "--array", "2/2")
    assert [line for line in out if line.startswith("entry ")] == ["entry 2 of 2  more replicates"]
    assert sorted(path.name for path in runs.iterdir()) == before


def test_one_failure_leaves_the_others_and_is_named_at_the_end(sweep, runs, stand_in, tmp_path):
    store = RunStore(runs)
    shutil.rmtree(store.runs(Stage.S05)[0].path)
    shutil.rmtree(store.runs(Stage.S01)[0].path)
    gone = "- {name: gone, models.BASE: {source: file, path: nowhere}}"
    _, first, second = ENTRIES.rstrip().split("\n")
    code, out, err = sweep("-q", "--jobs", "1", entries="\n".join([gone, second, first]))
    # the first entry's: a model that is missing
    assert code == Exit.MISSING_DEPENDENCY
    assert err[0].startswith(f"entry 1 (gone)  failed: models.BASE.path: no directory {tmp_path / 'nowhere'}")
    assert any(
        line.startswith("S02B ") and line.endswith("  more replicates: failed: cell 3: no such thing") for line in err
    )
    assert err[-1].startswith("error: 2 of 3 entries are not finished: gone (models.BASE.path: no directory ")
    assert err[-1].endswith("; more replicates (S02B: cell 3: no such thing)")
    # S01, which both have, once; S05 of the second entry; and nothing that needs what failed
    assert sorted(run_id.split("_")[1] for run_id in stand_in) == ["S01", "S02B", "S05"]
    assert set(stand_in.values()) == {1}
    assert [line.split()[0] for line in out] == ["S01", "S05", "sweep"]
    assert "1 of 3 entries finished" in out[-1]
    page = (runs / CANON.PATH.SWEEPS_DIR / "two" / OUT.INDEX_HTML_BASENAME).read_text()
    assert "Entry 2, more replicates, is not finished: S02B: cell 3: no such thing." in page


def test_the_table_is_what_the_runs_say(sweep, runs):
    # once by the entry, once under another name: the same runs
    entries = "- {name: first}\n- {name: second, analysis.bootstrap_reps: 50}\n"
    code, out, err = sweep(entries=entries)
    assert code == Exit.DONE
    assert all(line.endswith("  reused") for line in err)
    assert len(out) == 1
    folder = runs / CANON.PATH.SWEEPS_DIR / "two"
    found = pd.read_parquet(folder / OUT.SWEEP_PARQUET_BASENAME)
    assert list(found.columns) == [column.name for column in SWEEP_TABLE.columns]
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / OUT.SWEEP_CSV_BASENAME, keep_default_na=False, na_values={c: [""] for c in NUMBERS}),
        found,
        check_dtype=False,
        check_exact=True,
    )
    store = RunStore(runs)
    s05, s04k = store.runs(Stage.S05)[0], store.runs(Stage.S04K)[0]
    t01, t10 = table(s05, T.T01_SUMMARY), table(s04k, T.T10_KNOCKOUTS)
    nulls = {each for each in NullId if each.startswith("NULL_RASTER")}
    assert set(found["null_id"]) == nulls
    assert len(found) == 2 * len(t01) * len(nulls)
    assert set(found["run_id"]) == {s05.run_id}
    assert set(found["knock_out_run_id"]) == {s04k.run_id}
    assert {json.loads(each).get("analysis.bootstrap_reps") for each in found["overrides"]} == {None, 50}
    choices = store.open(s05.inputs.upstream[Stage.S02B]).json(f"results/{OUT.GSTAR_JSON_BASENAME}")["choices"]
    gstar = {(each["spike_def_id"], each["target_rate"]): each["gstar"] for each in choices}
    key = ["spike_def_id", "target_rate", "g"]
    by_gain, measured = found[found["entry"] == 1].groupby(key), t10.drop_duplicates(key).set_index(key)["sigma_depth"]
    for at, row in t01.set_index(key).iterrows():
        rows = by_gain.get_group(at)
        assert set(rows["b_tot"]) == {row["b_tot"]}
        assert set(rows["gstar"]) == {gstar[at[:2]]}
        deltas = rows.set_index("null_id")["delta_b_tot"]
        assert deltas[NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM] == row["delta_b_tot"]
        assert deltas[NullId.NULL_RASTER_LAYER_ORDER] == row["opt_delta_b_tot_layers"]
        sigma = measured.get(at, float("nan"))
        assert rows["sigma_depth"].to_numpy() == pytest.approx(sigma, nan_ok=True)


NUMBERS = [column.name for column in SWEEP_TABLE.columns if column.dtype.name == "FLOAT"]


def test_a_sweep_again_is_the_same_bytes_and_its_page_is_whole(sweep, runs):
    entries = "sweep:\n- {name: '<b>first</b>'}\n- {name: second}\n"
    folder = runs / CANON.PATH.SWEEPS_DIR / "two"

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    sweep("-q", entries=entries.removeprefix("sweep:\n"))
    first = files()
    assert set(first) == {
        OUT.SWEEP_PARQUET_BASENAME,
        OUT.SWEEP_CSV_BASENAME,
        OUT.SWEEP_PNG_BASENAME,
        OUT.INDEX_HTML_BASENAME,
    }
    shutil.rmtree(folder)
    code, _, _ = sweep("-q", "--collect", entries=entries.removeprefix("sweep:\n"))
    assert code == Exit.DONE
    assert files() == first
    Image.open(io.BytesIO(first[OUT.SWEEP_PNG_BASENAME])).verify()
    page = first[OUT.INDEX_HTML_BASENAME].decode()
    assert "&lt;b&gt;first&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "http:" not in page
    assert "https:" not in page
    links = [part.partition('"')[0] for part in page.split('href="')[1:]]
    assert len(links) == 6
    missing = [link for link in links if not (folder / link).exists()]
    # the page of all runs is written when one ends
    assert missing == [f"../../{OUT.INDEX_HTML_BASENAME}"]
    # the folder is no run
    assert main(["list", "--runs-dir", str(runs)]) == Exit.DONE


def test_the_last_part_of_an_array_writes_the_table(sweep, runs, whole, stand_in):
    entries = "- {name: a}\n- {name: b}\n"
    folder = runs / CANON.PATH.SWEEPS_DIR
    shutil.rmtree(RunStore(runs).runs(Stage.S05)[0].path)
    later = "- {name: a}\n- {name: b, analysis.bootstrap_reps: 60}\n"
    code, out, err = sweep("-q", "--array", "1/2", entries=later)
    assert code == Exit.DONE
    assert [line.split()[0] for line in out] == ["S05"]
    assert err == ["sweep two  1 of 2 entries finished; the table is written when all are, or by --collect"]
    assert not folder.exists()
    code, out, err = sweep("-q", "--collect", entries=later)
    assert code == Exit.MISSING_DEPENDENCY
    assert out[0].startswith("sweep two  1 of 2 entries finished  ")
    assert err == ["error: 1 of 2 entries are not finished: b (not made yet)"]
    code, out, _ = sweep("-q", "--array", "2/2", entries=entries)
    assert code == Exit.DONE
    assert out[0].startswith("sweep two  2 of 2 entries finished  ")
    # more jobs than entries
    assert sweep("-q", "--array", "7/9", entries=entries)[0] == Exit.DONE


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--array", "5/4"], "--array '5/4': write it as i/n"),
        (["--array", "0/4"], "--array '0/4': write it as i/n"),
        (["--array", "a"], "--array 'a': write it as i/n"),
        (["--collect", "--to", "phase2"], "--collect: the table is made of S05, which --to phase2 does not reach"),
        (
            ["--set", "analysis.bootstrap_reps=3"],
            "entry 2 (more replicates): analysis.bootstrap_reps: the command line sets",
        ),
    ],
)
def test_bad_words_are_refused_before_anything_is_made(sweep, runs, options, words):
    before = sorted(runs.iterdir())
    code, out, err = sweep(*options)
    assert code == Exit.BAD_INPUT
    assert words in err[0]
    assert len(err) == 1
    assert out == []
    assert sorted(runs.iterdir()) == before


def test_a_sweep_up_to_an_earlier_stage_has_no_table(sweep, runs):
    code, out, err = sweep("--to", "phase1")
    assert code == Exit.DONE
    assert out == []
    assert [line.split()[0] for line in err] == ["S01"]
    assert not (runs / CANON.PATH.SWEEPS_DIR).exists()
