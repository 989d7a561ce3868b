"""The paper as a user makes it: from one role, from both, and from runs that are not what they were."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from made import verify_chain
from paper.reading import Page, pdf_text
from pipeline.conftest import runner
from pipeline.test_pipeline import run_of

from critnb.canon import CANON, Claim, Exit, ModelRole, Stage
from critnb.contract import spec_of
from critnb.report.tables import load_table
from critnb.runs import Run, RunStore

COMMAND = spec_of(Stage.S07).command
OUT, DIR = CANON.OUTPUT, CANON.RUN_SUBDIR
T07 = f"{DIR.TABLES_APPENDIX}/{CANON.TABLE.T07_REPLICATION_SUMMARY}.parquet"


def html_of(run: Run) -> str:
    return run.read_bytes(f"{DIR.PAPER}/{OUT.PAPER_HTML_BASENAME}").decode()


NUMBERS = ("none", *["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"])


def shown(value, spec: str) -> str:
    """A cell as the paper shows it; a p-value has four digits where three would be zero, small numbers are said in words."""
    if spec == "p":
        return "< 0.0001" if value < 1e-4 else f"{value:.4f}" if value < 1e-3 else f"{value:.3f}"
    if spec == "words" and value <= 12:
        return NUMBERS[value]
    return " ".join(value.split()) if spec == "text" else format(value, "" if spec == "words" else spec)


def check_evidence(run: Run) -> int:
    """Compare every cell that the paper shows with its table, by the file's digest; returns how many there are."""
    store, entries = RunStore(run.path.parent), run.json(run.result(OUT.EVIDENCE_JSON_BASENAME))["values"]
    page = Page(html_of(run))
    assert {number for number, _ in page.values} == set(range(len(entries)))
    compared = 0
    for number, text in page.values:
        origin = entries[number]["origin"]
        if not origin["artifact"].endswith(".parquet"):
            continue
        source = run if origin["run_id"] == run.run_id else store.open(origin["run_id"])
        assert source.artifacts[origin["artifact"]].sha256 == origin["sha256"]
        rows = source.parquet(origin["artifact"])
        for column, value in origin["at"].items():
            rows = rows[rows[column] == value]
        folds = {"": lambda f, c: f[c].item(), "count": lambda f, _: len(f), "smallest": lambda f, c: np.nanmin(f[c]),
                 "largest": lambda f, c: np.nanmax(f[c])}  # fmt: skip
        value, spec = folds[origin["fold"]](rows, origin["column"]), entries[number]["format"]
        assert text.replace("−", "-") == shown(value, spec)
        compared += 1
    return compared


def test_one_role_gives_a_paper_whose_numbers_are_the_tables(whole):
    run = run_of(whole, Stage.S07)
    assert check_evidence(run) > 50
    claims = run.json(run.result(OUT.CLAIMS_JSON_BASENAME))
    assert [each["claim"] for each in claims] == list(Claim)
    assert {role for each in claims for role in each["roles"]} == {ModelRole.BASE}
    by_id = {each["claim"]: each["verdict"] for each in claims}
    assert by_id[Claim.C3_GSTAR_CARRIED_OVER] == "supported"
    assert by_id[Claim.C1_RATES_MATCH] == "supported"
    assert T07 not in run.artifacts
    assert "Table T07 is not available: only BASE has run" in html_of(run)
    assert run.read_bytes(f"{DIR.PAPER}/{OUT.PAPER_PDF_BASENAME}").startswith(b"%PDF")
    sections = [path for path in run.artifacts if path.startswith(f"{DIR.PAPER}/") and path.endswith(".md")]
    assert [Path(path).name[:2] for path in sorted(sections)] == [f"{n:02d}" for n in range(9)]


def test_every_row_that_a_claim_names_is_in_the_file_of_that_digest(whole):
    run, store = run_of(whole, Stage.S07), RunStore(whole)
    for claim in run.json(run.result(OUT.CLAIMS_JSON_BASENAME)):
        for judged in claim["roles"].values():
            for row in judged["rows"]:
                assert store.open(row["run_id"]).artifacts[row["artifact"]].sha256 == row["sha256"]


def changed_copy(whole: Path, runs: Path, stage: Stage, name: str) -> str:
    """The runs without their paper, one byte of one file of a stage changed; returns the file's path in its run."""
    shutil.copytree(whole, runs)
    shutil.rmtree(runs / run_of(whole, Stage.S07).run_id)
    run = run_of(runs, stage)
    (path,) = run.path.rglob(name)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    return path.relative_to(run.path).as_posix()


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (Stage.S06B, f"{CANON.FIGURE.F06_GENERALIZATION_B}.png"),
        (Stage.S05, f"{CANON.TABLE.T08_SIGNATURES}.parquet"),
        (Stage.S02, OUT.RASTER_NPZ_BASENAME),
    ],
)
def test_a_file_that_was_changed_is_named_and_nothing_is_written(whole, tmp_path, run_stages, stage, name):
    runs = tmp_path / "runs"
    path = changed_copy(whole, runs, stage, name)
    done = run_stages(COMMAND, runs, "--no-upstream")
    assert done.returncode == Exit.BAD_INPUT, done.stderr
    assert f"{run_of(whole, stage).run_id}: {path} is not the file that its record names" in done.stderr
    assert not [
        entry for entry in RunStore(runs).entries(Stage.S07) if entry.record and entry.record.artifact_index[2:]
    ]
    assert not list(runs.glob(f"RUN_{Stage.S07}_*/{DIR.PAPER}/*"))


@pytest.mark.slow
def test_both_roles_are_joined_in_one_paper_with_t07(whole, inputs, tmp_path, run_stages):
    runs, params = tmp_path / "runs", tmp_path / "both.yaml"
    shutil.copytree(whole, runs)
    tree = yaml.safe_load((inputs / "params.yaml").read_text())
    for source in (*tree["models"].values(), *tree["data"].values()):
        source["path"] = str(inputs / source["path"])
    tree["models"]["INSTRUCT"] = dict(tree["models"]["BASE"])
    params.write_text(yaml.safe_dump(tree))
    options = ("--params", params, "--runs-dir", runs)
    assert runner("phase6", *options, "--role", "INSTRUCT").returncode == 0
    assert runner("phase5", *options, "--role", "INSTRUCT").returncode == 0
    done = runner(COMMAND, *options)
    assert done.returncode == 0, done.stderr
    run = RunStore(runs).latest(Stage.S07)
    assert run.roles == tuple(ModelRole)
    assert check_evidence(run) > 100
    table = load_table(run, CANON.TABLE.T07_REPLICATION_SUMMARY)
    # the same model in both roles, but for the null's draws
    for name in ("gstar", "chi_at_gstar"):
        assert table[f"{name}_base"].tolist() == table[f"{name}_instruct"].tolist()
    delta = (table["delta_b_tot_at_gstar_base"] - table["delta_b_tot_at_gstar_instruct"]).abs()
    assert delta.max() < 0.02
    analysed = {each.roles[0]: each.run_id for each in RunStore(runs).runs(Stage.S05)}
    assert set(table["run_id_s05_instruct"]) == {analysed[ModelRole.INSTRUCT]}
    assert "INSTRUCT" in pdf_text(run.read_bytes(f"{DIR.PAPER}/{OUT.PAPER_PDF_BASENAME}"))
    findings = verify_chain(RunStore(runs), run.run_id)
    assert len(findings) == 2 * 10 + 1
    assert not any(findings.values())
