"""The page on disk: replaced whole, one writer at a time, and never a reason for a run to fail."""

from __future__ import annotations

import logging
from pathlib import Path

from critnb.canon import CANON
from critnb.review.index.facts import facts_of
from critnb.review.index.page import render
from critnb.runs import RunStore
from critnb.runs.files import atomic_write, storage
from critnb.runs.locks import exclusively

_LOG = logging.getLogger(__name__)
_LOCK = ".index.lock"


def write_index(store: RunStore) -> Path:
    """Write the page of all runs of the folder and return its path.

    Raises DependencyError where there is no such folder, StorageError where it cannot be written.
    """
    store.require_folder()
    path = store.root / CANON.OUTPUT.INDEX_HTML_BASENAME
    # The last writer has read the folder last, so of two runs that end together neither is missing.
    with storage(path), exclusively(store.root / _LOCK):
        atomic_write(path, render(facts_of(store), strangers=_strangers(store)))
    return path


def refresh_index(store: RunStore) -> None:
    """Write the page after a run has ended; what goes wrong is logged, since the run itself is as it is.

    A folder that holds neither a run nor a page is left alone.
    """
    try:
        if store.ids() or (store.root / CANON.OUTPUT.INDEX_HTML_BASENAME).exists():
            write_index(store)
    except Exception as error:
        text = str(error).partition("\n")[0]
        _LOG.warning("warning: %s was not renewed: %s", CANON.OUTPUT.INDEX_HTML_BASENAME, text)


def _strangers(store: RunStore) -> list[str]:
    known = set(store.ids())
    names = {
        path.name.removesuffix(CANON.PATH.PARTIAL_SUFFIX)
        for path in store.root.glob(f"{CANON.PATH.RUN_DIR_PREFIX}*")
        if path.is_dir()
    }
    return sorted(names - known)
