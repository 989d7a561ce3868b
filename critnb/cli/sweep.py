"""The command ``sweep``: the runs of many params, several at once, and one table over those that are finished."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from critnb.canon import Exit, Stage
from critnb.cli.account import label
from critnb.cli.stages import overrides_of, run_missing
from critnb.contract import StageSpec, named, upstream_closure
from critnb.errors import CritnbError, DependencyError, ParamsError
from critnb.params.sweep import Sweep, read_sweep
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun
from critnb.pipeline.sweeping import PlannedEntry, plan_entries
from critnb.runs import RunState, RunStore
from critnb.system.failures import message_and_exit
from critnb.system.paths import from_here
from critnb.system.terminal import err, out, plain

_MOST_PARTS = 10_000
_MOST_NAMED = 5
_LONGEST = 200


def run_sweep(arguments: argparse.Namespace) -> int:
    """Make what is missing of a sweep's entries, or of a part of them, and write the table of those that are finished.

    Returns the exit code of the first entry that failed, 0 where none has; of ``--collect``, 3 where an entry is not finished.
    """
    first, of = _part(arguments.array)
    common, given_by = overrides_of(arguments)
    sweep = read_sweep(arguments.file, arguments.params, common, given_by=given_by)
    stages, options = named(arguments.word), RunOptions.of_command(vars(arguments))
    options = replace(options, command=["runner.py", *map(plain, sys.argv[1:])])
    has_table = any(spec.id is Stage.S05 for spec in upstream_closure(stages))
    if arguments.collect and not has_table:
        raise ParamsError(f"--collect: the table is made of {Stage.S05}, which --to {arguments.word} does not reach")
    store = options.store()
    part = sweep.entries if arguments.collect else sweep.entries[first - 1 :: of]
    # a plan finds models and hashes them: those of other parts are other jobs' business as long as there is something to do
    plan = partial(plan_entries, stages=stages, store=store, options=options, every_role=arguments.word == "all")
    chosen = plan(part)
    if options.dry_run:
        _show_plan(chosen, len(sweep.entries), store)
        return int(Exit.DONE)
    errors = {} if arguments.collect else _run(chosen, stages, store)
    if has_table and all(each.is_complete(store) for each in chosen):
        others = plan(
            [] if arguments.collect else [each for i, each in enumerate(sweep.entries) if i % of != first - 1]
        )
        planned = sorted([*chosen, *others], key=lambda each: each.entry.number)
        _write_table(sweep, planned, store, errors, when_whole=bool(others))
    elif has_table:
        _write_table(sweep, chosen, store, errors, when_whole=len(part) < len(sweep.entries))
    return _end(chosen, errors, store)


def _part(text: str | None) -> tuple[int, int]:
    """Return (i, n) of ``i/n``, (1, 1) where it is not given; raises ParamsError."""
    if text is None:
        return 1, 1
    first, slash, of = text.partition("/")
    if slash and first.isdecimal() and of.isdecimal() and 1 <= int(first) <= int(of) <= _MOST_PARTS:
        return int(first), int(of)
    raise ParamsError(
        f"--array {plain(repr(text), 40)}: write it as i/n, the i-th of n parts, with i from 1 to n, for example 1/4"
    )


def _show_plan(chosen: Sequence[PlannedEntry], total: int, store: RunStore) -> None:
    """Say what each entry would run; a run that an entry before has, too, stands with that one alone."""
    seen: dict[str, int] = {}
    for each in chosen:
        out(f"entry {each.entry.number} of {total}  {plain(each.entry.name)}")
        if each.error is not None:
            out(f"  fails: {message_and_exit(each.error)[0].partition(chr(10))[0]}")
        for run in each.runs:
            state = store.state(run.run_id)
            what = "reuse" if state is RunState.complete else "run" if state is RunState.absent else f"run: {state}"
            out(f"  {label(run)}  {f'as entry {seen[run.run_id]}' if run.run_id in seen else what}")
            seen.setdefault(run.run_id, each.entry.number)
    missing = sum(store.state(run_id) is not RunState.complete for run_id in seen)
    out(f"{len(chosen)} of {total} entries, {len(seen)} runs: {missing} to make, {len(seen) - missing} complete")


def _run(chosen: Sequence[PlannedEntry], stages: Sequence[StageSpec], store: RunStore) -> Mapping[str, Exception]:
    """Make the runs of these entries, each once, those of the first entries first, and return the errors by run id."""
    runs: dict[str, PlannedRun] = {}
    first: dict[str, PlannedEntry] = {}
    for entry in chosen:
        if entry.error is not None:
            said, *more = message_and_exit(entry.error)[0].split("\n")
            err(f"entry {entry.entry.number} ({plain(entry.entry.name)})  failed: {said}", *more)
        for run in entry.runs:
            runs.setdefault(run.run_id, run)
            first.setdefault(run.run_id, entry)
    if not runs:
        return {}
    # what is the same for all runs of a command: how long to wait, and whether they share a device
    shared = next(entry.options for entry in chosen if entry.runs)
    return run_missing(
        list(runs.values()),
        stages,
        store,
        shared,
        each={run_id: entry.options for run_id, entry in first.items()},
        ranks={run_id: entry.entry.number for run_id, entry in first.items()},
        whose={run_id: entry.entry.name for run_id, entry in first.items()},
        keep_going=True,
    )


def _write_table(
    sweep: Sweep,
    planned: Sequence[PlannedEntry],
    store: RunStore,
    errors: Mapping[str, Exception],
    *,
    when_whole: bool,
) -> None:
    """Write the table of the finished entries, ``when_whole`` only if all are: of array jobs, the last one writes it."""
    # not imported above: --help and --dry-run draw nothing
    from critnb.review.sweep import Swept, Unfinished, write_sweep

    swept, unfinished = [], []
    for each in planned:
        entry, runs = each.entry, each.finished(Stage.S05, store)
        swept += [Swept(entry.number, entry.name, entry.overrides, run) for run in runs]
        if not runs:
            unfinished.append(Unfinished(entry.number, entry.name, entry.overrides, _why(each, errors)))
    finished = len(planned) - len(unfinished)
    part = " of this part" if len(planned) < len(sweep.entries) else ""
    counts = f"sweep {plain(sweep.name)}  {finished} of {len(planned)} entries{part} finished"
    if not swept or (when_whole and unfinished):
        err(f"{counts}; the table is written when all are, or by --collect" if when_whole else f"{counts}; no table")
        return
    out(f"{counts}  {from_here(write_sweep(store, sweep.name, swept, unfinished))}")


def _why(planned: PlannedEntry, errors: Mapping[str, Exception]) -> str:
    """Return why an entry is not finished, as far as this command knows."""
    if planned.error is not None:
        return message_and_exit(planned.error)[0].partition("\n")[0]
    failed = next((run for run in planned.runs if run.run_id in errors), None)
    if failed is None:
        return ""
    said = message_and_exit(errors[failed.run_id])[0].partition("\n")[0]
    return f"{failed.spec.id}: {said.removeprefix(f'{failed.spec.id}: ')}"


def _end(chosen: Sequence[PlannedEntry], errors: Mapping[str, Exception], store: RunStore) -> int:
    """Name the entries that have failed, and return the exit code of the first."""
    left = [each for each in chosen if not each.is_complete(store)]
    if not left:
        return int(Exit.DONE)
    said = [f"{plain(each.entry.name)} ({plain(_why(each, errors) or 'not made yet', _LONGEST)})" for each in left]
    more = f" and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
    err(f"error: {len(left)} of {len(chosen)} entries are not finished: {'; '.join(said[:_MOST_NAMED])}{more}")
    return int(message_and_exit(_error(left[0], errors))[1])


def _error(planned: PlannedEntry, errors: Mapping[str, Exception]) -> Exception:
    of_runs = (errors[run.run_id] for run in planned.runs if run.run_id in errors)
    missing: CritnbError = DependencyError("not made yet")
    return planned.error or next(of_runs, missing)
