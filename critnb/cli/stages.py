"""Stages on the command line: what is missing is run, one line each with its time and what came of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from critnb.canon import IS_INSTALLED, Exit
from critnb.cli.account import Account, Show, label
from critnb.contract import StageSpec, named
from critnb.errors import RunExistsError
from critnb.params import Loaded, load, parse_override
from critnb.pipeline.execute import execute
from critnb.pipeline.kernels import Kernels
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun, plan_runs
from critnb.pipeline.schedule import side_by_side
from critnb.pipeline.sharing import needs_of, number_of_jobs, one_at_a_time, thread_variables
from critnb.pipeline.workers import workers_of
from critnb.runs import Run, RunState, RunStore
from critnb.runs.scratch import Scratch
from critnb.system.paths import from_here
from critnb.system.terminal import err, out, plain

# options that stand for keys of the params
_OF_COMPUTE = ("device", "dtype", "engine", "workers", "scheduler")


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
            out(f"{label(run)}  {'reuse' if is_there else 'run'}: {run.reason(store)}")
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
    complete = {run.run_id for run in planned if store.state(run.run_id) is RunState.complete}
    for run in planned:
        if run.run_id in complete and not options.quiet:
            err(f"{label(run)}  reused")
    allowed = [run for run in planned if run.spec in stages or not options.no_upstream]
    missing = {run.run_id: run for run in allowed if run.run_id not in complete}
    if not missing:
        return False
    account = Account(options)
    jobs = number_of_jobs(list(missing.values()), options)
    with (
        Scratch() as checked,
        workers_of(list(missing.values()), options) as with_workers,
        _kernels(list(missing.values()), thread_variables(jobs)) as kernels,
    ):
        handed = replace(with_workers, checked=checked)
        side_by_side(
            needs_of(missing.values()),
            lambda run_id: account.of(
                missing[run_id], lambda show: _run(missing[run_id], store, handed, show, kernels)
            ),
            jobs=jobs,
            done=lambda run_id, ended: account.done(missing[run_id], ended),
            failed=lambda run_id, error: account.failed(missing[run_id], error),
            stop=kernels.stop,
            alone=one_at_a_time(missing.values(), options),
        )
    return any(run.spec in stages for run in account.ran)


def _run(planned: PlannedRun, store: RunStore, options: RunOptions, show: Show, kernels: Kernels) -> Run | None:
    """Return the run, made now, or None where another command has made it meanwhile."""
    if store.state(planned.run_id) is RunState.complete:
        return None
    return execute(planned, store, options, show=show, kernels=kernels)


@contextmanager
def _kernels(missing: Sequence[PlannedRun], threads: Mapping[str, str]) -> Iterator[Kernels]:
    """Yield the kernels of the command, forked from one server where there are several runs to share its start."""
    from critnb.pipeline.warm_kernels import WarmKernels

    if len(missing) < 2 or not WarmKernels.are_possible():
        yield Kernels(threads=threads)
        return
    with WarmKernels(missing, threads=threads) as warm:
        yield Kernels(warm, threads=threads)


def _load_params(arguments: argparse.Namespace) -> Loaded:
    overrides = dict(parse_override(text) for text in arguments.set)
    options = {f"compute.{word}": word for word in _OF_COMPUTE if getattr(arguments, word) is not None}
    overrides |= {key: getattr(arguments, word) for key, word in options.items()}
    loaded = load(arguments.params, overrides, given_by={key: f"--{word}" for key, word in options.items()})
    if IS_INSTALLED and not Path(arguments.params).is_file() and not arguments.quiet:
        # the working folder has one of this name, or the installed pack does
        err(f"params: {plain(from_here(loaded.base_dir / loaded.origin))}")
    return loaded
