"""A folder with a run in every state, and its page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from made import MODEL, begun, made

from critnb.canon import CANON, Stage
from critnb.gates import Gate, Verdict
from critnb.review.index import write_index
from critnb.runs import RunStore

UNREADABLE, FUTURE = "RUN_S03_000000000001", "RUN_S03_000000000002"
THUMBNAIL = "#c000c0"
HARMFUL = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)> & \"quotes\" \ud800\x07"
GATES = (
    Gate("identified", "3 of 6", "chosen often", Verdict.FAIL, "the others are marked"),
    Gate("closed form", 1.9765606607599713, "within 5", Verdict.PASS),
    Gate("long avalanches", None, "at least one", Verdict.NOT_AVAILABLE),
)


def png() -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    matplotlib.figure.Figure(figsize=(2, 1), facecolor=THUMBNAIL).savefig(buffer, format="png")
    return buffer.getvalue()


def harmed(store: RunStore, run_id: str, record: bytes) -> None:
    folder = store.root / run_id
    folder.mkdir()
    (folder / CANON.OUTPUT.RUN_RECORD_JSON).write_bytes(record)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Iterator[Path]:
    """Two generations of S02, an S05 with everything, one run each that failed, was killed, is at work, is not readable."""
    store = RunStore(tmp_path_factory.mktemp("page") / "runs with a space")
    frame, figs, tables = pd.DataFrame({"b": [1.0]}), CANON.RUN_SUBDIR.FIGS, CANON.RUN_SUBDIR.TABLES
    calibration = made(store, Stage.S01, model=MODEL, files={"notebook/n.html": b"<p>x</p>", "notebook/n.ipynb": b"{}"})
    earlier = made(store, upstream=[calibration], params={"events": {"tau0": 3.0}})
    grid = made(store, upstream=[calibration], gates=GATES, files={"results/r.npz": {"X": np.zeros(3)}})
    made(
        store,
        Stage.S05,
        upstream=[grid],
        notes=["a note"],
        warnings=["beware"],
        files={
            f"{figs}/{CANON.FIGURE.F01_RASTER_EXAMPLE}.png": png(),
            f"{figs}/{CANON.FIGURE.F01_RASTER_EXAMPLE}.pdf": b"%PDF",
            f"{figs}/appendix/{CANON.FIGURE.F09_CHI_CURVES}.png": png(),
            f"{tables}/{CANON.TABLE.T01_SUMMARY}.parquet": frame,
            f"{tables}/{CANON.TABLE.T01_SUMMARY}.csv": b"b\n1.0\n",
            "paper/paper.pdf": b"%PDF",
            "paper/claims.json": {"C1": 1},
            "results/a strange%20name#?.txt": b"x",
        },
    )
    with begun(store, Stage.S02B, upstream=[grid], notes=[HARMFUL.replace("\ud800", "")]) as failing:
        failing.fail(HARMFUL.replace("\ud800", ""))
    begun(store, Stage.S02B, upstream=[earlier]).close()
    future = {**json.loads((grid.path / CANON.OUTPUT.RUN_RECORD_JSON).read_bytes()), "schema_version": "2.0", "new": 1}
    harmed(store, FUTURE, json.dumps(future).encode())
    harmed(store, UNREADABLE, b"{")
    (store.root / "RUN_S99_0123456789ab").mkdir()
    (store.root / "notes").mkdir()
    with begun(store, Stage.S04, upstream=[grid]):
        write_index(store)
        yield store.root


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture(scope="session")
def page(folder: Path) -> str:
    return (folder / CANON.OUTPUT.INDEX_HTML_BASENAME).read_text(encoding="utf-8")
