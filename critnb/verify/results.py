"""Check the results of a release: tables, paper and gates must follow from the artifacts that they are made from.

A file that is computed again has the same bytes, or its numbers (JSON, CSV, Parquet, NPZ) agree within a tolerance, or it is a
finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from critnb.canon import CANON
from critnb.errors import CritnbError
from critnb.release.contents import run_folder
from critnb.report.schema import SCHEMAS
from critnb.report.tables import load_table, table_path
from critnb.runs import Run
from critnb.runs.encoding import csv_bytes
from critnb.verify.check import Result, UnpackedRelease
from critnb.verify.comparison import TOLERANCE, file_problem, record_problems
from critnb.verify.notebooks import kept_notebook, page, page_of, shows_gates
from critnb.verify.replay import replay, works


def tables(release: UnpackedRelease) -> Result:
    """Compare each table's CSV with its Parquet, and the Parquet with its schema."""
    wrong, looked_at = [], 0
    for run in release.runs:
        for schema in SCHEMAS.values():
            path = table_path(schema, ".csv")
            if path in run.artifacts:
                looked_at += 1
                if csv_bytes(load_table(run, schema.name)) != run.read_bytes(path):
                    wrong.append(f"{run_folder(run.run_id)}/{path}: its rows are not those of the Parquet beside it")
    return Result(wrong, f"{looked_at} tables under their schemas, CSV and Parquet alike")


def recomputed(release: UnpackedRelease) -> Result:
    """Do the work that needs no model again, stage by stage, and compare all that it leaves with the files of the run."""
    runs = [run for run in release.runs if run.stage in works()]
    made = [each for run in runs for each in _recomputed(run)]
    gates = sum(len(run.record.metrics.get("gates", ())) for run in runs)
    same = sum(each.problem is None for each in made)
    near = sum(each.problem == "" for each in made)
    close = f", {near} within {TOLERANCE:g}" if near else ""
    wrong = [f"{each.path}: {each.problem}" for each in made if each.problem]
    return Result(wrong, f"{same} files came out with the same bytes{close}; {gates} gates with the same verdict")


@dataclass(frozen=True)
class _Recomputed:
    """A file that was computed again; ``problem``: None for the same bytes, "" where only last bits differ, else what is wrong."""

    path: str
    problem: str | None


def _recomputed(run: Run) -> list[_Recomputed]:
    folder = run_folder(run.run_id)
    try:
        made = replay(run, works()[run.stage])
        files = [(path, file_problem(path, run.read_bytes(path), data)) for path, data in made.files.items()]
        record = [(CANON.OUTPUT.RUN_RECORD_JSON, each) for each in record_problems(run.record, made)]
        return [
            _Recomputed(f"{folder}/{path}", wrong)
            for path, wrong in (*files, *record, *_notebook_recomputed(run, made.shown))
        ]
    except CritnbError as error:
        return [_Recomputed(folder, f"cannot be computed again: {error}")]
    except Exception as error:
        # a stranger's artifacts may break any code, and the other runs are checked all the same
        return [_Recomputed(folder, f"cannot be computed again: {type(error).__name__}: {error}")]


def _notebook_recomputed(run: Run, gates: str) -> Iterator[tuple[str, str | None]]:
    notebook = kept_notebook(run)
    if not shows_gates(run, gates):
        yield notebook, "the gates that it shows are not those that the run's artifacts give"
    same = run.read_bytes(page_of(notebook)) == page(run)
    yield page_of(notebook), None if same else "is not the page that its notebook gives"
