"""S01 to S05 of one role on one core against the field's one earlier program: work and start-up apart, by stage.

    python benchmarks/race.py > benchmarks/race.txt
    python benchmarks/race.py --theirs FOLDER --commands FILE      with that program at hand

Our side runs twice: the stages' notebook cells in this process, which gives the work, and the commands as a user types them, one
for S01 to S04 and one for S05, whose other seconds are start-up: interpreters, imports, kernels, model files, pages. S00 comes
first and is not counted; S04K, which that program has no equal of, is shown and not counted.

FILE says in one line each what its stages are called by, with FOLDER as the working folder: ``S01 python -m program calibrate
--config small.yaml``. A line ``start ...`` is a command that starts it and does nothing, such as its --help: what that takes is
its start-up per stage. Without them the figures of an earlier sitting stand in, marked as such.
"""

from __future__ import annotations

import measuring

# isort: split
import argparse
import ast
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.formatters import DisplayFormatter

from critnb.canon import CANON, PACK_ROOT, ModelRole, Stage
from critnb.contract import spec_of
from critnb.params import load, parse_override
from critnb.pipeline.execute import prepare
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun, plan_runs
from critnb.runs import RunStore

COUNTED = (Stage.S01, Stage.S02, Stage.S02B, Stage.S03, Stage.S04, Stage.S05)
REPLICATES = 200
AT_REPLICATES = {"nulls.replicates": REPLICATES, "nulls.verdict_replicates": REPLICATES}
DRAWING = "null replicates"  # the step of S04 that draws and counts them
LOADING = "load model"
SHOWN = 1.0  # seconds from which on a step has a line of its own

EARLIER = """\
Measured in an earlier sitting, not in this one: one role, one thread, two cores; that sitting kept no more of its machine
  seconds                work    start-up          all
  that program          112.8           9          122   one null replicate
  critnb then       58.9-67.1       62-66      123-135   200 null replicates
"""
DIFFERS = """\
What differs in what the two compute
  nulls          it draws one replicate; here 200, of each of five nulls, with spreads and p-values
  thresholds     it searches to within 5e-4 of a rate of some 1e-3; here exact order statistics of one pass
Known of published code of this kind, and done otherwise here
  moments        a count of tokens that advances once a layer, so that mu and sigma are off; here those of the stacked activations
  windows        statistics on the windows that thresholds were fitted to; here on others, with the rates of both
  token shuffle  drawn and not analysed; here 20 shuffles of 32 windows at thresholds matched anew (shuffle ... above)
  tails          a continuous formula for integers, rivals fitted to other data than compared on; here exact discrete likelihoods
  intervals      avalanches resampled; here windows, and avalanches, exponents and crackling each beside a null
Pages, tables, figures and hashes of every file are in our times; the pages in start-up, the others in work
"""


@dataclass(frozen=True)
class Worked:
    """Seconds of one stage: in its cells: ``wall`` but for ``loading`` the model, ``processor`` with it; its steps by name."""

    stage: Stage
    wall: float
    processor: float
    loading: float
    steps: Mapping[str, float]


def planned_for(params: str, overrides: Mapping[str, Any], store: RunStore) -> tuple[list[PlannedRun], RunOptions]:
    loaded = load(params, overrides)
    return plan_runs([spec_of(Stage.S05)], loaded, [ModelRole.BASE], store), RunOptions().with_params(loaded)


def work(planned: PlannedRun, store: RunStore, options: RunOptions) -> Worked:
    """Run the cells of a stage's notebook here and publish its run; what cells show is made and thrown away."""
    os.environ.update(replace(options, data=planned.data).for_kernel())
    notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / planned.spec.notebook, as_version=4)
    with prepare(planned, store, options) as run:
        known: dict[str, Any] = {
            "params": CANON.OUTPUT.CONFIG_RESOLVED_YAML, "overrides": {}, "run_dir": str(run.path),
        }  # fmt: skip
        cells = [
            c.source for c in notebook.cells if c.cell_type == "code" and "parameters" not in c.metadata.get("tags", ())
        ]
        begins = next(i for i, source in enumerate(cells) if "critnb.begin(" in source)
        for source in cells[: begins + 1]:
            show(source, known)
        wall, processor = time.perf_counter(), time.process_time()
        for source in cells[begins + 1 :]:
            show(source, known)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        run.publish()
    steps = store.open(planned.run_id).record.timings
    loading = steps.get(LOADING, 0.0)
    return Worked(planned.spec.id, wall - loading, processor, loading, steps)


def show(source: str, known: dict[str, Any]) -> None:
    """Do what a kernel does with a cell: run it, and format the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), known)
    if last is not None:
        shown = eval(compile(ast.Expression(last.value), "cell", "eval"), known)
        DisplayFormatter().format(shown)


def in_process(params: str, overrides: Mapping[str, Any]) -> list[Worked]:
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder) / "runs")
        planned, options = planned_for(params, overrides, store)
        return [work(each, store, options) for each in planned]


def as_command(params: str, overrides: Sequence[str]) -> float:
    """Return the seconds of the commands for S01 to S05 in an empty folder, those of S00 and S04K left out."""
    words = ["--params", params, *(word for each in overrides for word in ("--set", each))]
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"

        def run(stage: Stage) -> float:
            command = [sys.executable, str(PACK_ROOT / "runner.py"), spec_of(stage).command, *words]
            return seconds([*command, "--runs-dir", str(runs), "--quiet"], PACK_ROOT)

        run(Stage.S00)
        until_knock_outs = run(Stage.S04)
        run(Stage.S04K)
        return until_knock_outs + run(Stage.S05)


def seconds(command: Sequence[str], folder: Path) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 4):
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started


def ours(params: str, given: Sequence[str]) -> tuple[float, float]:
    """Print our side; returns its work at these replicates, and with one of each null."""
    overrides = {**AT_REPLICATES, **dict(parse_override(each) for each in given)}
    stages = in_process(params, overrides)
    total = as_command(params, [*(f"{key}={value}" for key, value in AT_REPLICATES.items()), *given])
    counted = [each for each in stages if each.stage in COUNTED]
    working = sum(each.wall for each in counted)
    print(f"{'critnb, seconds':34}{'work':>9}{'model files':>13}{'processor, both':>17}")
    for each in stages:
        note = "" if each in counted else "   not counted"
        print(f"  {each.stage:32}{each.wall:9.1f}{each.loading:13.1f}{each.processor:17.1f}{note}")
        for name, value in summed(each.steps).items():
            if value >= SHOWN and name != LOADING:
                print(f"      {name:28}{value:9.1f}")
    draws = next(each for each in counted if each.stage is Stage.S04).steps.get(DRAWING, 0.0)
    once = working - draws * (1 - 1 / REPLICATES)
    print(
        f"  {'S01 to S05':32}{working:9.1f}{sum(e.loading for e in counted):13.1f}{sum(e.processor for e in counted):17.1f}"
    )
    print(
        f"  {'with one replicate of each null':32}{once:9.1f}   ({draws / REPLICATES * 1e3:.1f} ms a replicate of all)"
    )
    print(f"  {'the commands, S01 to S05':32}{total:9.1f}   of which start-up {total - working:.1f}\n")
    return working, once


def summed(steps: Mapping[str, float]) -> dict[str, float]:
    """Put the steps of one kind together: matching at each setting, each figure."""
    found: dict[str, float] = {}
    for name, value in steps.items():
        kind = next(
            (k for k in ("match", "extract", "shuffle", "knock_out", "disturb", "figure") if name.startswith(k)), name
        )
        kind = f"{kind} ..." if kind != name else name
        found[kind] = found.get(kind, 0.0) + value
    return found


def theirs(folder: Path, commands: Path) -> float:
    """Print the other side; returns its work."""
    lines = [line.split(maxsplit=1) for line in commands.read_text().splitlines() if line.strip()]
    start = min((seconds(shlex.split(command), folder) for name, command in lines if name == "start"), default=0.0)
    print(f"{'the other program, seconds':34}{'work':>9}{'start-up':>11}")
    working = 0.0
    for name, command in lines:
        if name != "start":
            took = max(seconds(shlex.split(command), folder) - start, 0.0)
            working += took
            print(f"  {name:32}{took:9.1f}{start:11.1f}", flush=True)
    print(f"  {'all of them':32}{working:9.1f}\n")
    return working


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", default="base.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="other params for our side")
    parser.add_argument("--theirs", type=Path, metavar="FOLDER", help="where the other program lies")
    parser.add_argument("--commands", type=Path, metavar="FILE", help="what its stages are called by")
    given = parser.parse_args()
    if (given.theirs is None) != (given.commands is None):
        parser.error("--theirs and --commands belong together")
    measuring.one_core()
    print(measuring.machine("torch", "transformers"))
    print(f"one core; {given.params}, role BASE, {REPLICATES} replicates of every null; wall seconds\n", flush=True)
    working, once = ours(given.params, given.set)
    other = 112.8
    if given.theirs is not None:
        other = theirs(given.theirs, given.commands)
    else:
        print(EARLIER)
    print(f"its work / ours: {other / working:.1f} with {REPLICATES} replicates here and one there, ", end="")
    print(f"{other / once:.1f} with one of each null in both")
    if given.theirs is None:
        print("(its work of the earlier sitting over ours of this one: not the same day, perhaps not the same machine)")
    print()
    print(DIFFERS, end="")


if __name__ == "__main__":
    main()
