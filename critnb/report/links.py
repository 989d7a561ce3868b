"""Where a page of a run finds files: its own and those of other runs, in a folder of runs and in an unpacked release alike.

Pages lie one folder deep in their run (``notebook/``, ``paper/``), and runs lie beside each other with the page of all runs.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from critnb.canon import CANON
from critnb.errors import DependencyError
from critnb.runs.record import RunRecord

_DIR = CANON.RUN_SUBDIR
_TABLE_FOLDERS = (_DIR.TABLES, _DIR.TABLES_APPENDIX)
_TABLES = {name.partition("_")[0]: str(basename) for name, basename in CANON.TABLE}


@dataclass(frozen=True)
class Link:
    """Words that lead to a file, and which of its rows or entries are meant, where not all are."""

    words: str
    href: str
    rows: str = ""

    def html(self) -> str:
        """Return the link as HTML, its rows behind it."""
        link = f'<a href="{html.escape(self.href)}">{html.escape(self.words)}</a>'
        return link + (f" ({html.escape(self.rows)})" if self.rows else "")


def joined(links: Iterable[Link], between: str = ", ") -> str:
    """Return links as HTML, one after the other."""
    return between.join(link.html() for link in links)


def to_file(path: str, run_id: str = "") -> str:
    """Return the way from a page of a run to a file of that run, or to one of the run ``run_id`` beside it."""
    return quote(f"../../{run_id}/{path}" if run_id else f"../{path}")


def to_index(run_id: str = "") -> str:
    """Return the way from a page of a run to the page of all runs, or to the place of a run on it."""
    return quote(f"../../{CANON.OUTPUT.INDEX_HTML_BASENAME}") + (f"#{run_id}" if run_id else "")


def to_readable(path: str, run_id: str = "") -> str:
    """Return the way to a file of a run as ``to_file`` does, of a table to its copy as text."""
    is_table = path.startswith(f"{_DIR.TABLES}/") and path.endswith(".parquet")
    return to_file(str(PurePosixPath(path).with_suffix(".csv")) if is_table else path, run_id)


def find(name: str, own: RunRecord, upstream: Sequence[RunRecord], rows: str = "") -> Link:
    """Return the link to a file that a run has written or rests on; its own comes first, then upstream runs in their order.

    ``name``: a table's number such as T01, or the name of a file under results/. Raises DependencyError where none of the
    runs holds it.
    """
    paths = _paths(name)
    for record in (own, *upstream):
        held = {artifact.path for artifact in record.artifact_index}
        for path in paths:
            if path in held:
                return Link(PurePosixPath(path).name, to_file(path, "" if record is own else record.run_id), rows)
    raise DependencyError(f"neither {own.run_id} nor a run that it rests on holds {name}")


def _paths(name: str) -> list[str]:
    if name in _TABLES:
        return [f"{folder}/{_TABLES[name]}.csv" for folder in _TABLE_FOLDERS]
    return [f"{_DIR.RESULTS}/{name}"]
