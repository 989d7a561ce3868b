"""Stages on the command line: what is missing is run, one line each with its time and what came of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from critnb.canon import IS_INSTALLED, Exit, ModelRole, Stage
from critnb.contract import STAGES, named
from critnb.errors import ParamsError, RunExistsError
from critnb.gates import summed_up
from critnb.params import Loaded, load, parse_override
from critnb.pipeline.execute import Options, execute, kept_notebooks
from critnb.pipeline.plan import PlannedRun, Planner
from critnb.pipeline.progress import Display
from critnb.runs import RunState, RunStore, runs_folder
from critnb.system.paths import from_here
from critnb.system.terminal import err, out, plain


def run_stages(arguments: argparse.Namespace) -> int:
    """Run the stages that a command names and return the exit code; raises RunExistsError where there is nothing to do."""
    loaded = _load_params(arguments)
    store = RunStore(runs_folder(arguments.runs_dir))
    planner = Planner(
        loaded, _roles(arguments, loaded), store, _pins(arguments.use), join_complete=arguments.role is None
    )
    if not _run_missing(planner, loaded, store, arguments) and not arguments.dry_run:
        what = "its run is" if len(named(arguments.word)) == 1 else "all its runs are"
        raise RunExistsError(
            f"nothing to do for {arguments.word}: {what} complete with these params and this code\n"
            f"look with: runner.py list; change a parameter to get another run"
        )
    return int(Exit.DONE)


def _load_params(arguments: argparse.Namespace) -> Loaded:
    overrides = dict(parse_override(text) for text in arguments.set)
    for option in ("device", "dtype"):
        if getattr(arguments, option) is not None:
            overrides[f"compute.{option}"] = getattr(arguments, option)
    loaded = load(arguments.params, overrides)
    if IS_INSTALLED and not Path(arguments.params).is_file():
        # the working folder has one of this name, or the installed pack does
        _say(arguments, f"params: {plain(from_here(loaded.base_dir / loaded.origin))}")
    return loaded


def _roles(arguments: argparse.Namespace, loaded: Loaded) -> list[ModelRole]:
    given = [role for role in ModelRole if role in loaded.params.models]
    wanted = arguments.role or ("all" if arguments.word == "all" else given[0])
    return given if wanted == "all" else [ModelRole(wanted)]


def _run_missing(planner: Planner, loaded: Loaded, store: RunStore, arguments: argparse.Namespace) -> bool:
    """Run what is missing; tells whether one of the stages asked for was run."""
    asked = {spec.id for spec in named(arguments.word)}
    ran = False
    for planned in planner.plan(named(arguments.word)):
        label = f"{planned.spec.id:<6} {planned.who:<8} {planned.run_id}"
        if arguments.dry_run:
            reason = planned.reason(store)
            out(f"{label}  {'reuse' if store.state(planned.run_id) is RunState.complete else 'run'}: {reason}")
        elif store.state(planned.run_id) is RunState.complete:
            _say(arguments, f"{label}  reused")
        elif planned.spec.id in asked or not arguments.no_upstream:
            _execute(planned, planner, store, loaded, arguments, label)
            ran = ran or planned.spec.id in asked
    return ran


def _pins(texts: Sequence[str]) -> dict[Stage, str]:
    pins = {}
    for text in texts:
        stage, equals, run = text.partition("=")
        if not equals or stage not in list(Stage):
            raise ParamsError(
                f"--use {plain(repr(text), 100)}: write it as STAGE=RUN, for example {STAGES[1].id}=RUN_{STAGES[1].id}_..."
            )
        pins[Stage(stage)] = run
    return pins


def _execute(
    planned: PlannedRun, planner: Planner, store: RunStore, loaded: Loaded, arguments: argparse.Namespace, label: str
) -> None:
    display = Display()
    options = Options(
        device=loaded.params.compute.device,
        allow_resume=arguments.allow_resume,
        strict=arguments.strict,
        command=["runner.py", *map(plain, sys.argv[1:])],
        show=_shower(arguments, display),
    )
    begins = f"{label}  {planned.spec.asks}"
    if arguments.verbose:
        _say(arguments, begins)  # lines of steps stand below it
    elif not arguments.quiet:
        display.announce(begins)
    started = time.monotonic()
    try:
        run = execute(planned, planner, store, loaded, options)
    finally:
        display.close()
    seconds = f"{time.monotonic() - started:.1f} s"
    page = kept_notebooks(planned.spec, run.path)[0]
    out(f"{label}  {seconds:>7}  {summed_up(run.record.metrics.get('gates', ()))}  {from_here(page)}")


def _shower(arguments: argparse.Namespace, display: Display) -> Callable[[dict[str, Any]], None]:
    def show(event: dict[str, Any]) -> None:
        payload = event["payload"]
        if event["event_type"] == "progress" and not arguments.quiet:
            display.show(plain(payload["label"]), payload["done"], payload["total"], payload["unit"])
        elif event["event_type"] == "step" and arguments.verbose:
            err(f"  {payload['step']}: {payload['seconds']:.1f} s")

    return show


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.quiet:
        err(text)
