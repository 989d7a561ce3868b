"""The event log of a run: one JSON object per line, each appended by a single write so that lines of two processes never mix."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from critnb.canon import CANON
from critnb.runs.encoding import json_line
from critnb.runs.record import utc_now

LOG_PATH = f"{CANON.RUN_SUBDIR.LOGS}/{CANON.OUTPUT.EVENTS_JSONL_BASENAME}"


class EventType(StrEnum):
    start = "start"
    config_resolved = "config_resolved"
    model_loaded = "model_loaded"
    dataset_loaded = "dataset_loaded"
    step = "step"
    artifacts_written = "artifacts_written"
    memory = "memory"
    stage_complete = "stage_complete"
    end = "end"


def append_event(run: Path, run_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
    """Add one line {ts_utc, run_id, event_type, payload}; raises OSError, and DataError for a payload beyond JSON."""
    event = {"ts_utc": utc_now(), "run_id": run_id, "event_type": str(event_type), "payload": payload}
    line, path = json_line(event), run / LOG_PATH
    path.parent.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, "the line was cut short", str(path))
    finally:
        os.close(descriptor)


def repair_log(run: Path) -> None:
    """Make the log of a killed run writable again and remove a last line that was cut short; raises OSError."""
    path = run / LOG_PATH
    if path.is_file():
        path.chmod(0o644)
        with path.open("r+b") as handle:
            handle.truncate(handle.read().rfind(b"\n") + 1)
