"""Check tables, paper and gates of a release: made again from the artifacts beside them, they must come out as they stand.

A file comes out with the same bytes, or near (numbers of JSON, Parquet and NPZ within a tolerance), or it is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from critnb.canon import CANON
from critnb.errors import CritnbError
from critnb.release.contents import run_folder
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.report.schema import SCHEMAS
from critnb.report.tables import load_table, table_path
from critnb.runs import Run
from critnb.runs.encoding import csv_bytes
from critnb.verify.differing import TOLERANCE, problem
from critnb.verify.judged import record_problems
from critnb.verify.notebooks import kept_notebook, page, page_of, shows_gates
from critnb.verify.replay import replay, works


def same_rows(release: Opened) -> Result:
    """Hold each table's CSV against its Parquet, and the Parquet against its schema."""
    wrong, looked_at = [], 0
    for run in release.runs:
        for schema in SCHEMAS.values():
            path = table_path(schema, ".csv")
            if path in run.artifacts:
                looked_at += 1
                if csv_bytes(load_table(run, schema.name)) != run.read_bytes(path):
                    wrong.append(f"{run_folder(run.run_id)}/{path}: its rows are not those of the Parquet beside it")
    return Result(wrong, f"{looked_at} tables under their schemas, CSV and Parquet alike")


def recomputed(release: Opened) -> Result:
    """Do the work of every stage again that needs no model, and hold all that it leaves against what is there."""
    runs = [run for run in release.runs if run.stage in works()]
    made = [each for run in runs for each in _made_again(run)]
    gates = sum(len(run.record.metrics.get("gates", ())) for run in runs)
    same = sum(each.problem is None for each in made)
    near = sum(each.problem == "" for each in made)
    close = f", {near} within {TOLERANCE:g}" if near else ""
    wrong = [f"{each.path}: {each.problem}" for each in made if each.problem]
    return Result(wrong, f"{same} files came out with the same bytes{close}; {gates} gates with the same verdict")


@dataclass(frozen=True)
class _Again:
    """A file that was made again: None for the same bytes, "" where only last bits differ, else what is wrong."""

    path: str
    problem: str | None


def _made_again(run: Run) -> list[_Again]:
    folder = run_folder(run.run_id)
    try:
        made = replay(run, works()[run.stage])
        files = [(path, problem(path, run.read_bytes(path), data)) for path, data in made.files.items()]
        record = [(CANON.OUTPUT.RUN_RECORD_JSON, each) for each in record_problems(run.record, made)]
        return [
            _Again(f"{folder}/{path}", wrong) for path, wrong in (*files, *record, *_notebook_again(run, made.shown))
        ]
    except CritnbError as error:
        return [_Again(folder, f"cannot be computed again: {error}")]
    except Exception as error:
        # artifacts of strangers may break any code, and the other runs are to be looked at all the same
        return [_Again(folder, f"cannot be computed again: {type(error).__name__}: {error}")]


def _notebook_again(run: Run, gates: str) -> Iterator[tuple[str, str | None]]:
    notebook = kept_notebook(run)
    if not shows_gates(run, gates):
        yield notebook, "the gates that it shows are not those that the run's artifacts give"
    same = run.read_bytes(page_of(notebook)) == page(run)
    yield page_of(notebook), None if same else "is not the page that its notebook gives"
