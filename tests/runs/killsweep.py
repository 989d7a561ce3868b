"""Kill a ministage with SIGKILL just before its k-th operation on the runs folder, for many k; report what was left.

``sweep`` runs as a process of its own, forks a child for each k, and sends one row for each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import ministage

from critnb.errors import CritnbError
from critnb.runs import RunStore, verify

_OPERATIONS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate"}


def killed_before(operation: int, root: Path) -> bool:
    """Whether the stage died of it (it does not when it has fewer operations)."""
    child = os.fork()
    if child == 0:
        _die_before(operation, str(root))
        ministage.make(RunStore(root))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _die_before(operation: int, root: str) -> None:
    left = operation

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _OPERATIONS and str(arguments[0]).startswith(root):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def digests(run: Path) -> dict[str, str]:
    record = json.loads((run / "run_record.json").read_text())
    return {row["path"]: row["sha256"] for row in record["artifact_index"] if not row["path"].startswith("logs/")}


def report(root: Path) -> dict[str, object]:
    """The state after the kill, what verify says of a run that calls itself complete, and the bytes once resumed."""
    store, run_id = RunStore(root), ministage.planned().run_id()
    state = store.state(run_id)
    sound = state != "complete" or verify(store.path(run_id)) == []
    if state != "complete":
        try:
            ministage.make(store, allow_resume=True)
        except CritnbError as error:
            return {"state": state, "sound": False, "error": str(error)}
    sound = sound and verify(store.path(run_id)) == []
    return {"state": state, "sound": sound, "digests": digests(store.path(run_id))}


def sweep(root: Path, first: int, step: int, channel: Connection) -> None:
    operation, rows = first, []
    while killed_before(operation, root / str(operation)):
        rows.append({"operation": operation, **report(root / str(operation))})
        operation += step
    channel.send(rows)
