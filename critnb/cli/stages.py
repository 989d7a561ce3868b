"""Stages on the command line: what is missing is run, one line each with its time and what came of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from critnb.canon import IS_INSTALLED, Exit
from critnb.contract import StageSpec, named
from critnb.errors import RunExistsError
from critnb.gates import summed_up
from critnb.params import Loaded, load, parse_override
from critnb.pipeline.execute import execute
from critnb.pipeline.notebook import kept_notebooks
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun, plan_runs
from critnb.pipeline.progress import Display, Event
from critnb.runs import RunState, RunStore
from critnb.system.paths import from_here
from critnb.system.terminal import err, out, plain

if TYPE_CHECKING:
    from critnb.pipeline.warm_kernels import WarmKernels


def run_stages(arguments: argparse.Namespace) -> int:
    """Run the stages that a command names and return the exit code; raises RunExistsError where there is nothing to do."""
    loaded = _load_params(arguments)
    options = RunOptions.of_command(vars(arguments)).with_params(loaded)
    options = replace(options, command=["runner.py", *map(plain, sys.argv[1:])])
    stages, store = named(arguments.word), options.store()
    roles = options.roles(loaded.params, every=arguments.word == "all")
    planned = plan_runs(stages, loaded, roles, store, pins=options.pins(), join_complete=options.role is None)
    if options.dry_run:
        for run in planned:
            is_there = store.state(run.run_id) is RunState.complete
            out(f"{_label(run)}  {'reuse' if is_there else 'run'}: {run.reason(store)}")
    elif not _run_missing(planned, stages, store, options):
        what = "its run is" if len(stages) == 1 else "all its runs are"
        raise RunExistsError(
            f"nothing to do for {arguments.word}: {what} complete with these params and this code\n"
            f"look with: runner.py list; change a parameter to get another run"
        )
    return int(Exit.DONE)


def _run_missing(
    planned: Sequence[PlannedRun], stages: Sequence[StageSpec], store: RunStore, options: RunOptions
) -> bool:
    """Run what is missing; tells whether one of the ``stages`` asked for was run."""
    ran = False
    missing = [run for run in planned if store.state(run.run_id) is not RunState.complete]
    with _kernels(missing) as warm:
        for run in planned:
            if store.state(run.run_id) is RunState.complete:
                _say(options, f"{_label(run)}  reused")
            elif run.spec in stages or not options.no_upstream:
                _execute(run, store, options, warm)
                ran = ran or run.spec in stages
    return ran


def _kernels(missing: Sequence[PlannedRun]) -> AbstractContextManager[WarmKernels | None]:
    """Return the kernels that serve several runs; a single run has nothing to share a start with."""
    from critnb.pipeline.warm_kernels import WarmKernels

    return WarmKernels(missing) if len(missing) > 1 and WarmKernels.are_possible() else nullcontext()


def _load_params(arguments: argparse.Namespace) -> Loaded:
    overrides = dict(parse_override(text) for text in arguments.set)
    options = {f"compute.{word}": word for word in ("device", "dtype") if getattr(arguments, word) is not None}
    overrides |= {key: getattr(arguments, word) for key, word in options.items()}
    loaded = load(arguments.params, overrides, given_by={key: f"--{word}" for key, word in options.items()})
    if IS_INSTALLED and not Path(arguments.params).is_file() and not arguments.quiet:
        # the working folder has one of this name, or the installed pack does
        err(f"params: {plain(from_here(loaded.base_dir / loaded.origin))}")
    return loaded


def _label(planned: PlannedRun) -> str:
    return f"{planned.spec.id:<6} {planned.who:<8} {planned.run_id}"


def _execute(planned: PlannedRun, store: RunStore, options: RunOptions, warm: WarmKernels | None) -> None:
    display = Display()
    label = _label(planned)
    begins = f"{label}  {planned.spec.asks}"
    if options.verbose:
        _say(options, begins)  # lines of steps stand below it
    elif not options.quiet:
        display.announce(begins)
    started = time.monotonic()
    try:
        run = execute(planned, store, options, show=_shower(options, display), warm=warm)
    finally:
        display.close()
    seconds = f"{time.monotonic() - started:.1f} s"
    page = kept_notebooks(planned.spec, run.path)[0]
    out(f"{label}  {seconds:>7}  {summed_up(run.record.metrics.get('gates', ()))}  {from_here(page)}")


def _shower(options: RunOptions, display: Display) -> Callable[[Event], None]:
    def show(event: Event) -> None:
        payload = event["payload"]
        if event["event_type"] == "progress" and not options.quiet:
            display.show(plain(payload["label"]), payload["done"], payload["total"], payload["unit"])
        elif event["event_type"] == "step" and options.verbose:
            err(f"  {payload['step']}: {payload['seconds']:.1f} s")

    return show


def _say(options: RunOptions, text: str) -> None:
    if not options.quiet:
        err(text)
