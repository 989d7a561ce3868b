"""Stages on the command line: what is missing is run, one line each with its time and what came of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from critnb.canon import IS_INSTALLED, Exit
from critnb.cli.account import Account, label
from critnb.contract import StageSpec, named
from critnb.params import Loaded, load, parse_override
from critnb.pipeline.execute import execute
from critnb.pipeline.forecast import Forecast
from critnb.pipeline.kernels import Kernels
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun, plan_runs
from critnb.pipeline.schedule import side_by_side
from critnb.pipeline.sharing import needs_of, number_of_jobs, one_at_a_time, thread_variables
from critnb.pipeline.waiting import made_or_awaited
from critnb.pipeline.workers import workers_of
from critnb.runs import RunState, RunStore
from critnb.runs.scratch import Scratch
from critnb.system.paths import from_here
from critnb.system.terminal import err, out, plain

# kernels that are forked from one server; fewer are quicker as processes of their own
_FEWEST_FORKED = 2
# options that stand for keys of the params
_OF_COMPUTE = ("device", "dtype", "engine", "workers", "scheduler", "wait")


def run_stages(arguments: argparse.Namespace) -> int:
    """Run what is missing of the stages that a command names, and return the exit code."""
    loaded = _load_params(arguments)
    options = RunOptions.of_command(vars(arguments)).with_params(loaded)
    options = replace(options, command=["runner.py", *map(plain, sys.argv[1:])])
    stages, store = named(arguments.word), options.store()
    roles = options.roles(loaded.params, every=arguments.word == "all")
    planned = plan_runs(stages, loaded, roles, store, pins=options.pins(), join_complete=options.role is None)
    if options.dry_run:
        for run in planned:
            is_there = store.state(run.run_id) is RunState.complete
            out(f"{label(run)}  {'reuse' if is_there else 'run'}: {run.reason(store)}")
    else:
        run_missing(planned, stages, store, options)
    return int(Exit.DONE)


def run_missing(
    planned: Sequence[PlannedRun],
    stages: Sequence[StageSpec],
    store: RunStore,
    options: RunOptions,
    *,
    each: Mapping[str, RunOptions] | None = None,
    ranks: Mapping[str, int] | None = None,
    whose: Mapping[str, str] | None = None,
    keep_going: bool = False,
) -> Mapping[str, Exception]:
    """Run what is missing, and say of all else that it is reused; raises the first error of a stage.

    By run id, ``each``: the options of a run that is of other params; ``ranks``: what is begun before what has a higher one;
    ``whose``: what it is made for. To ``keep_going``, a failure ends only what needs it, and the errors are returned by run id.
    """
    complete = {run.run_id for run in planned if store.state(run.run_id) is RunState.complete}
    for run in planned:
        if run.run_id in complete and not options.quiet:
            err(f"{label(run)}  reused")
    allowed = [run for run in planned if run.spec in stages or not options.no_upstream]
    missing = {run.run_id: run for run in allowed if run.run_id not in complete}
    if not missing:
        return {}
    jobs, alone = number_of_jobs(list(missing.values()), options), one_at_a_time(missing.values(), options)
    forecast = Forecast(planned, missing, store, jobs=jobs, alone=alone, ranks=ranks)
    account = Account(options, forecast, whose=whose, keep_going=keep_going)
    with (
        Scratch() as checked,
        workers_of(list(missing.values()), options) as with_workers,
        _kernels(list(missing.values()), thread_variables(jobs)) as kernels,
    ):
        handed = {
            run_id: replace((each or {}).get(run_id, options), scheduler=with_workers.scheduler, checked=checked)
            for run_id in missing
        }
        side_by_side(
            needs_of(missing.values()),
            lambda run_id: account.of(
                missing[run_id],
                lambda show: made_or_awaited(
                    missing[run_id],
                    store,
                    lambda: execute(missing[run_id], store, handed[run_id], show=show, kernels=kernels),
                    seconds=options.wait,
                    allow_resume=options.allow_resume,
                    waits=lambda held: account.waits(missing[run_id], held),
                    go_on=kernels.raise_if_stopped,
                ),
            ),
            jobs=jobs,
            done=lambda run_id, ended: account.done(missing[run_id], ended),
            failed=lambda run_id, error: account.failed(missing[run_id], error),
            stop=kernels.stop,
            alone=alone,
            ranks=ranks,
            keep_going=keep_going,
        )
    return account.errors


@contextmanager
def _kernels(missing: Sequence[PlannedRun], threads: Mapping[str, str]) -> Iterator[Kernels]:
    """Yield the kernels of the command, forked from one server where there are several runs to share its start."""
    from critnb.pipeline.warm_kernels import WarmKernels

    if len(missing) < _FEWEST_FORKED or not WarmKernels.are_possible():
        yield Kernels(threads=threads)
        return
    with WarmKernels(missing, threads=threads) as warm:
        yield Kernels(warm, threads=threads)


def overrides_of(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the overrides of ``--set`` and of the options that stand for one, and which option gave a key, for blame."""
    overrides = dict(parse_override(text) for text in arguments.set)
    options = {f"compute.{word}": word for word in _OF_COMPUTE if getattr(arguments, word) is not None}
    overrides |= {key: getattr(arguments, word) for key, word in options.items()}
    return overrides, {key: f"--{word}" for key, word in options.items()}


def _load_params(arguments: argparse.Namespace) -> Loaded:
    overrides, given_by = overrides_of(arguments)
    loaded = load(arguments.params, overrides, given_by=given_by)
    if IS_INSTALLED and not Path(arguments.params).is_file() and not arguments.quiet:
        # the working folder has one of this name, or the installed pack does
        err(f"params: {plain(from_here(loaded.base_dir / loaded.origin))}")
    return loaded
