"""A release of a real chain: checked with its tables computed again, forged, unpacked and made once more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import kept
import nbformat
import pandas as pd
import pytest
from browser import Elements
from links import broken_links, pages_below
from release.chains import run_of, zipped
from release.forging import index_again, link_again, list_again

from critnb.canon import CANON, PACK_ROOT, Exit, Stage
from critnb.cli.command_line import main
from critnb.release.zip_reader import unpack
from critnb.report.notebook import to_ipynb
from critnb.report.schema import SCHEMAS
from critnb.report.sources import runs_of, sources
from critnb.report.tables import table_path
from critnb.runs import Run, RunStore
from critnb.runs.encoding import csv_bytes, json_bytes, npz_bytes, parquet_bytes
from critnb.runs.files import sha256_file
from critnb.runs.record import write_record
from critnb.verify.notebooks import kept_notebook, page, page_of
from critnb.verify.release import verify_release
from critnb.verify.replay import replay, works

pytestmark = pytest.mark.slow
T, OUT = CANON.TABLE, CANON.OUTPUT
OF_STAGE = {
    T.T01_SUMMARY: Stage.S05, T.T04_TAIL_FITS: Stage.S05, T.T06_ABLATIONS: Stage.S05, T.T08_SIGNATURES: Stage.S05,
    T.T02_GENERALIZATION: Stage.S06B, T.T03_ARC: Stage.S06ARC,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _kept() -> Iterator[None]:
    with kept.steps_of_the_paper():
        yield


@pytest.fixture(scope="module")
def zip_file(whole) -> Path:
    (path,) = RunStore(whole).runs(Stage.S08)[0].path.glob("results/*.zip")
    return path


@pytest.fixture
def altered(zip_file, tmp_path) -> Callable[[Callable[[Path], None]], Path]:
    """The release with something changed and everything made true again that hashes could show."""

    def alter(change: Callable[[Path], None]) -> Path:
        folder = tmp_path / "unpacked"
        unpack(zip_file, folder)
        change(folder)
        link_again(folder)
        list_again(folder)
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        return zipped(tmp_path / "forged.zip", files)

    return alter


def found(path: Path) -> dict[str, list[str]]:
    checks = []
    verify_release(path, checks.append)
    return {check.name: list(check.result.findings) for check in checks if not check.passed}


def test_a_release_is_sound_and_its_tables_come_out_again(zip_file, capsys):
    assert main(["verify", "--release", str(zip_file)]) == Exit.DONE
    told = capsys.readouterr().out
    assert "recomputed" in told
    assert f"ok: {zip_file}" in told
    assert (
        "not computed again: forward passes (deviations of S00, mu, sigma and base rates of S01, rasters of S02" in told
    )


def test_every_link_of_every_page_leads_somewhere_in_the_folder_and_in_the_zip(whole, zip_file, tmp_path):
    unpack(zip_file, tmp_path)
    for folder in (whole, tmp_path / CANON.PATH.RUNS_DIR):
        assert len(pages_below(folder)) >= len(list(Stage)) - (folder != whole)
        assert broken_links(folder) == []


def test_each_figure_of_a_notebook_leads_to_its_data(whole):
    """Which a page names under it, by links of which the test above says that they lead somewhere."""
    for run in RunStore(whole).runs():
        pages = Elements((run.path / page_of(kept_notebook(run))).read_text())
        shown = [each for each in pages.of_class("files") if each]
        drawn = [path for path in run.artifacts if path.endswith(".png")]
        assert len(shown) >= len(drawn), run.run_id
        for path in drawn:
            assert sources(Path(path).stem, runs_of(run.record)), path


def test_the_zip_is_named_after_what_it_holds(zip_file):
    digest, _ = sha256_file(zip_file.with_name(OUT.MANIFEST_SHA256_BASENAME))
    assert zip_file.stem.rpartition("-")[2] == digest[:12]


def test_a_gate_tells_of_files_that_git_does_not_keep(whole):
    gates = {gate["name"]: gate for gate in RunStore(whole).runs(Stage.S08)[0].record.metrics["gates"]}
    known = gates["every file is under version control"]["verdict"]
    assert (known == "not available") == (not (PACK_ROOT / ".git").exists())


def forge_table(folder: Path, name: str) -> tuple[str, str]:
    """Move one number of a table by a millionth, in CSV and Parquet alike, and make its run's record true again."""
    run, schema = run_of(folder, OF_STAGE[name]), SCHEMAS[name]
    path = table_path(schema, ".parquet")
    table = pd.read_parquet(run.path / path)
    column = next(
        column.name
        for column in schema.columns
        if column.name in table and table[column.name].dtype == float and column.name not in schema.key
        and table[column.name].notna().any() and table[column.name].abs().max() > 0
    )  # fmt: skip
    table.loc[table[column].abs().idxmax(), column] *= 1 - 1e-6
    for suffix, encode in ((".parquet", parquet_bytes), (".csv", csv_bytes)):
        (run.path / table_path(schema, suffix)).write_bytes(encode(table))
        index_again(run.path, table_path(schema, suffix))
    return f"runs/{run.run_id}/{path}", column


def test_forged_tables_are_each_found_by_computing_them_again(altered):
    forged = []
    findings = found(altered(lambda folder: forged.extend(forge_table(folder, name) for name in OF_STAGE)))
    # the paper cites some of the tables by their digest
    assert "recomputed" in findings
    assert set(findings) <= {"paper", "recomputed"}
    starts = [f"{path}: computed again, {column} at " for path, column in forged]
    told = findings["recomputed"]
    assert [start for start in starts if not any(line.startswith(start) for line in told)] == []


def test_a_csv_that_is_not_its_parquet_is_found(altered):
    def change(folder: Path) -> None:
        run, path = run_of(folder, Stage.S05), table_path(SCHEMAS[T.T01_SUMMARY], ".csv")
        (run.path / path).write_bytes(csv_bytes(pd.read_csv(run.path / path).iloc[::-1]))
        index_again(run.path, path)

    (line,) = found(altered(change))["tables"]
    assert line.endswith(".csv: its rows are not those of the Parquet beside it")


def test_a_paper_that_says_something_else_is_found(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S07)
        for path in (run.path / CANON.RUN_SUBDIR.PAPER).glob("*.md"):
            path.write_text(path.read_text().replace("not supported", "supported"))
            index_again(run.path, f"{CANON.RUN_SUBDIR.PAPER}/{path.name}")

    findings = found(altered(change))
    assert set(findings) == {"recomputed"}
    assert all(line.endswith("is not the text that claims and tables give") for line in findings["recomputed"])


def test_a_forged_choice_of_gain_is_found(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S02B)
        path = run.path / "results" / CANON.OUTPUT.GSTAR_JSON_BASENAME
        content = json.loads(path.read_text())
        content["choices"][0]["gstar"] = 0.8 if content["choices"][0]["gstar"] != 0.8 else 1.2
        path.write_bytes(json_bytes(content))
        index_again(run.path, f"results/{CANON.OUTPUT.GSTAR_JSON_BASENAME}")

    findings = found(altered(change))
    assert any("computed again, choices[" in line and ".gstar is" in line for line in findings["recomputed"])


def write_again(run: Run, relative: str, content: bytes) -> str:
    (run.path / relative).write_bytes(content)
    index_again(run.path, relative)
    return f"runs/{run.run_id}/{relative}"


def judge_again(run: Run) -> None:
    """Make record, notebook and page say of a run's gates what its artifacts now give."""
    judged = replay(run, works()[run.stage])
    metrics = {**run.record.metrics, "gates": judged.metrics["gates"]}
    write_record(run.path, replace(run.record, metrics=metrics))
    notebook = nbformat.reads(run.read_bytes(kept_notebook(run)).decode(), as_version=4)
    for cell in notebook.cells:
        if "stage.judge(" in cell.source:
            cell.outputs[0].data["text/html"] = judged.shown
    write_again(run, kept_notebook(run), to_ipynb(notebook))
    write_again(run, page_of(kept_notebook(run)), page(Run.open(run.path)))


def conclude_again(folder: Path, *stages: Stage) -> None:
    """Make again what rests on what was forged, so that nothing downstream tells."""
    for stage in stages:
        link_again(folder)
        run = run_of(folder, stage)
        for relative, content in replay(run, works()[stage]).files.items():
            write_again(run, relative, content)
        judge_again(run_of(folder, stage))


def test_forged_nulls_are_found_though_all_conclusions_follow_from_them(altered):
    forged = []

    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S04)
        frame, sums = (
            run.result(name) for name in (OUT.NULL_REPLICATES_PARQUET_BASENAME, OUT.NULL_SEQUENCE_SUMS_NPZ_BASENAME)
        )
        replicates, arrays = run.parquet(frame), run.npz(sums)
        forged.append(write_again(run, frame, parquet_bytes(replicates.assign(b_time=replicates["b_time"] * 1.01))))
        moved = {name: array * 1.01 if name.endswith("time_pairs") else array for name, array in arrays.items()}
        forged.append(write_again(run, sums, npz_bytes(moved)))
        conclude_again(folder, Stage.S05, Stage.S07)

    findings = found(altered(change))
    assert set(findings) == {"recomputed"}
    assert {line.partition(": computed again, ")[0] for line in findings["recomputed"]} == set(forged)


OF_RASTERS = [
    (Stage.S02, OUT.METRICS_PARQUET_BASENAME, "b_time"),
    (Stage.S02, OUT.TAU_RATE_MATCHED_PARQUET_BASENAME, "target_layer_rate"),
    (Stage.S03, OUT.METRICS_PARQUET_BASENAME, "chi"),
    (Stage.S03, OUT.TAU_RATE_MATCHED_PARQUET_BASENAME, "achieved_rate_raster"),
    (Stage.S04, OUT.METRICS_PARQUET_BASENAME, "b_depth"),
    (Stage.S06B, OUT.NULL_REPLICATES_PARQUET_BASENAME, "b_depth"),
]


def test_forged_numbers_of_rasters_are_found(altered):
    forged = []

    def change(folder: Path) -> None:
        # later ones by more, since the largest difference of a file is the one that is told
        for number, (stage, basename, column) in enumerate(OF_RASTERS, start=1):
            run = run_of(folder, stage)
            path = run.result(basename)
            table = run.parquet(path)
            moved = table.assign(**{column: table[column] * (1 - number * 1e-6)})
            forged.append(f"{write_again(run, path, parquet_bytes(moved))}: computed again, {column} at ")

    lines = found(altered(change))["recomputed"]
    assert [start for start in forged if not any(line.startswith(start) for line in lines)] == []


def test_gates_that_were_turned_around_are_found_in_every_stage(altered):
    turned = {"pass": "fail", "fail": "pass", "not available": "pass"}
    forged = []

    def change(folder: Path) -> None:
        for run in RunStore(folder / CANON.PATH.RUNS_DIR).runs():
            gates = [{**gate, "verdict": turned[gate["verdict"]]} for gate in run.record.metrics["gates"]]
            write_record(run.path, replace(run.record, metrics={**run.record.metrics, "gates": gates}))
            forged.extend(f"runs/{run.run_id}/run_record.json: gate {gate['name']!r} is recorded" for gate in gates)

    findings = found(altered(change))
    assert set(findings) <= {"recomputed", "notebooks"}
    assert {line.partition("/")[2].split("_")[1] for line in forged} == {*works()}
    assert [start for start in forged if not any(line.startswith(start) for line in findings["recomputed"])] == []


def test_another_pdf_is_found(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S07)
        write_again(run, f"{CANON.RUN_SUBDIR.PAPER}/{OUT.PAPER_PDF_BASENAME}", b"%PDF-1.7 another")

    findings = found(altered(change))
    assert set(findings) == {"recomputed"}
    (line,) = findings["recomputed"]
    assert f"/{OUT.PAPER_PDF_BASENAME}: computed again, its bytes are others" in line


def test_a_record_that_says_something_else_of_the_model_than_the_paper_is_found(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S03)
        write_record(run.path, replace(run.record, model={**run.record.model, "dtype": "float64"}))

    findings = found(altered(change))
    assert any(": dtype of BASE is float64, in RUN_" in line for line in findings["chain"])
    lines = findings["recomputed"]
    assert any("/paper/" in line and line.endswith("is not the text that claims and tables give") for line in lines)


def test_a_second_release_of_the_same_is_reused(whole, run_stages):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("RUN_S08*/**/*")}
    done = run_stages("phase8", whole)
    assert done.returncode == Exit.DONE
    assert done.stderr.splitlines()[-1].endswith("  reused")
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("RUN_S08*/**/*")} == before


def test_a_run_that_was_tampered_with_is_not_released(whole, run_stages, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(whole, runs, ignore=shutil.ignore_patterns("RUN_S08*"))
    path = RunStore(runs).runs(Stage.S05)[0].path / table_path(SCHEMAS[T.T01_SUMMARY], ".csv")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    done = run_stages("phase8", runs)
    assert done.returncode == Exit.BAD_INPUT
    assert "is not what its record says: changed tables/" in done.stderr
    assert list(runs.glob("RUN_S08*")) == []


def test_without_its_runs_there_is_no_release(run_stages, tmp_path):
    done = run_stages("phase8", tmp_path / "runs", "--no-upstream")
    assert done.returncode == Exit.MISSING_DEPENDENCY
    assert not list((tmp_path / "runs").glob("RUN_*"))


def test_unpacked_it_is_a_pack_that_makes_the_same_release(zip_file, inputs, tmp_path):
    root = tmp_path / "somewhere else"
    unpack(zip_file, root)
    command = [sys.executable, "runner.py", "phase8", "--params", str(inputs / "params.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == Exit.DONE, done.stderr
    assert "S05" in done.stderr
    assert done.stderr.count("reused") >= 9
    run = RunStore(root / "runs").runs(Stage.S08)[0]
    assert (run.path / "results" / zip_file.name).read_bytes() == zip_file.read_bytes()
    assert run.record.code["git_commit"] == "no_git_metadata"
    if shutil.which("sha256sum"):
        check = ["sha256sum", "--check", "--strict", "--quiet", CANON.OUTPUT.MANIFEST_SHA256_BASENAME]
        assert subprocess.run(check, cwd=root, capture_output=True, check=False).returncode == 0


def test_uncommitted_changes_are_said(whole):
    record = RunStore(whole).runs(Stage.S08)[0].record
    warned = any("uncommitted" in text for text in record.warnings)
    assert warned == bool(record.code["dirty"])
    assert (PACK_ROOT / ".git").exists() or record.code["git_commit"] == "no_git_metadata"
