"""A sweep's table, figure and page on disk, in a folder beside the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critnb.canon import CANON
from critnb.report.schema import conform
from critnb.review.sweep.figure import sweep_figure
from critnb.review.sweep.page import render
from critnb.review.sweep.table import SWEEP_TABLE, Swept, sweep_table
from critnb.runs import RunStore
from critnb.runs.encoding import csv_bytes, parquet_bytes
from critnb.runs.files import atomic_write, storage

_OUT = CANON.OUTPUT


@dataclass(frozen=True)
class Unfinished:
    """An entry that has no run of S05 yet: its number from one, its name, what it sets, and why, where that is known."""

    number: int
    name: str
    overrides: Mapping[str, Any]
    why: str = ""


def write_sweep(store: RunStore, name: str, swept: Sequence[Swept], unfinished: Sequence[Unfinished] = ()) -> Path:
    """Write table, figure and page of a sweep's finished entries, of which there is one at least, and return the page's path.

    The page is written last, so that it never shows what is not there. Raises StorageError, and as ``sweep_table``.
    """
    table = conform(sweep_table(swept, store), SWEEP_TABLE)
    figure = sweep_figure(table, f"{CANON.PROJECT.ID} sweep {name}")
    files = {
        _OUT.SWEEP_PARQUET_BASENAME: parquet_bytes(table),
        _OUT.SWEEP_CSV_BASENAME: csv_bytes(table),
        _OUT.SWEEP_PNG_BASENAME: figure,
        _OUT.INDEX_HTML_BASENAME: render(name, table, swept, unfinished, figure),
    }
    folder = store.root / CANON.PATH.SWEEPS_DIR / name
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for basename, data in files.items():
            atomic_write(folder / basename, data)
    return folder / _OUT.INDEX_HTML_BASENAME
