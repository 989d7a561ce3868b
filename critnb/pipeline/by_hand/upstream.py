"""An upstream run that a notebook lacks, made while it waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from critnb.gates import summed_up
from critnb.params import Loaded
from critnb.pipeline.by_hand.notebook_display import Line
from critnb.pipeline.execute import Options, execute
from critnb.pipeline.plan import PlannedRun, Planner
from critnb.runs import RunStore


def make(needed: PlannedRun, planner: Planner, store: RunStore, loaded: Loaded, options: Options) -> None:
    """Run one upstream stage as the runner does, under a line of the notebook; raises the errors of ``execute``."""
    label = f"{needed.spec.id} {needed.who} {needed.run_id}"
    line = Line(f"{label}: {needed.spec.asks}")

    def show(event: Mapping[str, Any]) -> None:
        if event["event_type"] == "progress":
            progress = event["payload"]
            line.show(f"{label}: {progress['label']} {progress['done']}/{progress['total']} {progress['unit']}s")

    started = time.monotonic()
    run = execute(needed, planner, store, loaded, replace(options, show=show))
    line.show(f"{label}: {time.monotonic() - started:.1f} s, {summed_up(run.record.metrics.get('gates', ()))}")
