"""How long the explorer takes to answer: ``python benchmarks/explore.py RUNS [PARAMS_FOLDER]`` on finished runs.

Each step is timed in the kernel, from the change of a control to the last picture, at gains and windows not shown
before (in a notebook the rasters are there first); the browser's share is not in it. The live mode loads the run's model.
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


def warmed_up(panel: Any) -> None:
    panel.raster.visited = True
    panel._warm_up.wait()


def main(runs: Path, params: Path | None = None) -> None:
    explorer = Explorer(runs, params=params)
    print(f"{platform.processor() or platform.machine()}; Python {platform.python_version()}")
    opening = seconds(lambda: explorer.state)
    print(f"{explorer.state.chain.label}\n\n{'ms':<58}{'median':>9}{'largest':>9}")
    line("find the runs", [opening])
    line("first view: text of the windows, rasters, curves", [seconds(lambda: explorer._view)])
    state, controls = explorer.state, explorer._view.controls
    gains = [gain for gain in state.gains if gain != state.selection.condition.gain]
    line("another gain", [seconds(lambda gain=gain: setattr(controls["gain"], "value", gain)) for gain in gains])
    line("the difference from gain 1", [seconds(lambda: state.choose(beside="difference"))])
    rows = range(min(10, state.n_windows))
    line("another sequence", [seconds(lambda row=row: setattr(controls["row"], "value", row)) for row in rows])
    boxes = [[i, i + 8, 0, 3] for i in range(10)]
    line("another brush", [seconds(lambda box=box: setattr(explorer._view.real, "brush", box)) for box in boxes])
    picks = range(min(10, len(state.window.avalanches)))
    line("another avalanche", [seconds(lambda i=i: setattr(explorer._view.real, "picked", i)) for i in picks])
    line("still pictures of it all", [seconds(explorer.picture) for _ in range(3)])
    panel = explorer._live
    # whoever presses Run without a look at the text before, or calls live("a text"), waits for both
    line("live: imports, begun when somebody turns to the panel", [seconds(lambda: warmed_up(panel))])
    line("live: first answer, the model loaded and checked", [seconds(lambda: panel.ask(TEXT))])
    texts = [TEXT[: 20 + 4 * i] for i in range(10)]
    line("live: another text", [seconds(lambda text=text: panel.ask(text)) for text in texts])
    line("live: another gain", [seconds(lambda i=i: setattr(panel._gain, "value", 0.7 + 0.05 * i)) for i in range(10)])
    line("live: a whole window of the run", [seconds(panel.ask_window) for _ in range(5)])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
