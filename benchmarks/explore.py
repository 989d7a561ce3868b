"""How long the explorer takes to answer: ``python benchmarks/explore.py RUNS`` on a folder of finished runs.

Each step is timed in the kernel, from the change of a control to the last picture, at gains and windows not shown
before; the browser's share is not in it. The live mode loads the run's model.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from critnb.explore.explorer import Explorer

TEXT = "The function returns the first item of the list that is not"


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def line(name: str, times: list[float]) -> None:
    print(f"{name:<58}{1000 * statistics.median(times):>9.0f}{1000 * max(times):>9.0f}")


def main(runs: Path) -> None:
    explorer = Explorer(runs)
    print(f"{platform.processor() or platform.machine()}; Python {platform.python_version()}")
    opening = seconds(lambda: explorer.state)
    print(f"{explorer.state.chain.label}\n\n{'ms':<58}{'median':>9}{'largest':>9}")
    line("find the runs", [opening])
    line("first view: text of the windows, rasters, curves", [seconds(lambda: explorer._view)])
    state, controls = explorer.state, explorer._view.controls
    gains = [gain for gain in state.gains if gain != state.selection.condition.gain]
    line("another gain", [seconds(lambda gain=gain: setattr(controls["gain"], "value", gain)) for gain in gains])
    rows = range(min(10, state.n_windows))
    line("another sequence", [seconds(lambda row=row: setattr(controls["row"], "value", row)) for row in rows])
    picks = range(min(10, len(state.window.avalanches)))
    line("another avalanche", [seconds(lambda i=i: setattr(explorer._view.real, "picked", i)) for i in picks])
    line("still pictures of it all", [seconds(explorer.picture) for _ in range(3)])
    panel = explorer._live
    line("live: load the model, torch included, and answer", [seconds(lambda: panel.ask(TEXT))])
    texts = [TEXT[: 20 + 4 * i] for i in range(10)]
    line("live: another text", [seconds(lambda text=text: panel.ask(text)) for text in texts])
    line("live: another gain", [seconds(lambda i=i: setattr(panel._gain, "value", 0.7 + 0.05 * i)) for i in range(10)])
    line("live: a whole window of the run", [seconds(panel.ask_window) for _ in range(5)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
