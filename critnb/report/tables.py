"""Results tables as files: written as CSV and Parquet under their schema, loaded checked."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON
from critnb.errors import IntegrityError
from critnb.report.schema import SCHEMAS, TableSchema, conform
from critnb.runs import Artifact, Run, RunWriter


def write_table(partial_run: RunWriter, table: str, frame: pd.DataFrame) -> tuple[Artifact, Artifact]:
    """Write one of CANON.TABLE's tables as CSV and as Parquet, same rows and dtypes; raises DataError as ``conform``."""
    schema = _schema(table)
    conformed = conform(frame, schema)
    csv = partial_run.write_csv(table_path(schema, ".csv"), conformed)
    return csv, partial_run.write_parquet(table_path(schema, ".parquet"), conformed)


def load_table(run: Run, table: str) -> pd.DataFrame:
    """Return one of CANON.TABLE's tables of a complete run, its bytes checked against the record.

    Raises:
        DataError: the content breaks the schema.
        IntegrityError: columns stand in another order or have other dtypes than the schema's.
    """
    schema = _schema(table)
    frame = run.parquet(table_path(schema, ".parquet"))
    conformed = conform(frame, schema)
    if not conformed.dtypes.equals(frame.dtypes):
        raise IntegrityError(f"{table} of {run.run_id}: column order or dtypes are not the schema's; rerun the stage")
    return conformed


def table_path(schema: TableSchema, suffix: str) -> str:
    """Return where in a run a table's file of that suffix lies."""
    folder = CANON.RUN_SUBDIR.TABLES_APPENDIX if schema.appendix else CANON.RUN_SUBDIR.TABLES
    return f"{folder}/{schema.name}{suffix}"


def _schema(table: str) -> TableSchema:
    if table not in SCHEMAS:
        raise KeyError(f"{table} is no table with a schema; known are {', '.join(SCHEMAS)}")
    return SCHEMAS[table]
