"""The command ``compare``: many runs as one table, on the terminal, as JSON or CSV, or as a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from critnb.canon import CANON, Exit
from critnb.errors import ParamsError
from critnb.pipeline.options import RunOptions
from critnb.review.compare import lines, render, side_by_side
from critnb.runs import RunStore, run_around
from critnb.runs.files import atomic_write, storage
from critnb.system.paths import absolute, from_here, kind
from critnb.system.terminal import out, out_json


def compare(arguments: argparse.Namespace) -> int:
    """Print the comparison of the runs named, or write its page; raises as ``side_by_side``, and for a page that cannot be."""
    store = RunOptions.of_command(vars(arguments)).store()
    page = None if arguments.page is None else _place(arguments.page, store)
    found = side_by_side(store, arguments.run, every_gain=arguments.every_gain)
    if arguments.json:
        out_json(found.to_dict())
    elif arguments.csv:
        out(*found.rows.to_csv(index=False).rstrip("\n").split("\n"))
    elif page is None:
        out(*lines(found))
    if page is not None:
        with storage(page, advice="make room and leave to write, or use another --page"):
            page.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(page, render(found, page))
        if not (arguments.json or arguments.csv):
            out(from_here(page))
    return int(Exit.DONE)


def _place(given: Path, store: RunStore) -> Path:
    """Return where the page goes; raises ParamsError for a folder, another kind of file, in a run, and a page of the pack."""
    page = absolute(given, what="--page", any_bytes=True)
    if (what := kind(page)) and what != "file":
        raise ParamsError(f"--page {given}: it is {what}; name a file")
    if page.suffix not in (".html", ".htm"):
        raise ParamsError(f"--page {given}: it is written as HTML; name it *.html")
    if page == store.root / CANON.OUTPUT.INDEX_HTML_BASENAME or store.root / CANON.PATH.SWEEPS_DIR in page.parents:
        raise ParamsError(f"--page {given}: is where the pack writes pages of its own; name another file")
    if run_around(page) is not None:
        raise ParamsError(f"--page {given}: nothing is ever written into a run; name another folder")
    return page
