"""The commands that look at runs and change none, and the one that removes those nobody needs: what they print."""

from __future__ import annotations

import argparse
import json
import shlex
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from critnb.canon import Exit
from critnb.params import dump_yaml, load
from critnb.pipeline.options import RunOptions
from critnb.system.terminal import columns, err, out, out_json, plain

if TYPE_CHECKING:
    from critnb.review.index.facts import RunFacts
    from critnb.runs import RunStore


def list_runs(arguments: argparse.Namespace) -> int:
    """Print the runs of a folder that were asked for, a line each below the heads, or as JSON."""
    from critnb.review.listing import listed, table

    store = _folder(arguments)
    rows = listed(store, lambda facts: _is_wanted(facts, arguments))
    every = all(value in (None, "all", "") for value in (arguments.stage, arguments.role, arguments.model))
    rows = [row for row in rows if row.stale or not arguments.stale]
    if not rows:
        err(f"{plain(store.root)} holds no such run" if store.ids() else f"{plain(store.root)} holds no run")
    where = "" if arguments.runs_dir is None else f" --runs-dir {shlex.quote(str(arguments.runs_dir))}"
    prune = f"runner.py prune{where}" if every else None
    return _printed(arguments, [row.to_dict() for row in rows], lambda: table(rows, prune=prune, width=columns()))


def _is_wanted(facts: RunFacts, arguments: argparse.Namespace) -> bool:
    return (
        arguments.stage in (None, facts.stage)
        and (arguments.role in (None, "all") or arguments.role in facts.role.split())
        and (arguments.model or "").casefold() in facts.model.casefold()
    )


def show(arguments: argparse.Namespace) -> int:
    """Print what the record of a run says and which files it has; raises the errors of ``find_run``."""
    from critnb.review.diff import find_run
    from critnb.runs import RunStore, model_ids

    run = find_run(arguments.run, _options(arguments).store())
    record = run.record
    about = f"{run.inputs.who} {' + '.join(model_ids(RunStore(run.path.parent), run))}".strip()

    def lines() -> list[str]:
        facts = {"model": record.model, "datasets": record.datasets, "metrics": record.metrics}
        return [
            f"{run.run_id}  {record.stage_status}  {record.created_utc} to {record.finished_utc}",
            str(run.path),
            f"about    {about}",
            f"made by: {' '.join(record.command)}",
            *(f"needs    {dependency.run_id}" for dependency in record.dependencies),
            *json.dumps(facts, indent=2).split("\n"),
            *(f"{each.sha256}  {each.bytes:>10}  {each.path}" for each in record.artifact_index),
        ]

    return _printed(arguments, record.to_dict(), lines)


def diff(arguments: argparse.Namespace) -> int:
    """Print what differs between two runs of a stage; raises the errors of ``find_run`` and ``compare``."""
    from critnb.review.diff import compare, find_run, format_diff, to_dict

    store = _options(arguments).store()
    old, new = (find_run(name, store) for name in (arguments.old, arguments.new))
    found = compare(old, new)
    return _printed(arguments, to_dict(found), lambda: format_diff(found))


def prune(arguments: argparse.Namespace) -> int:
    """Print which runs nobody needs, and with ``--delete`` remove them."""
    from critnb.contract.outdated import outdated
    from critnb.review.index import refresh_index
    from critnb.review.index.files import size
    from critnb.review.listing import folder_bytes
    from critnb.runs.pruning import prunable, remove

    store = _folder(arguments)
    old = outdated(store.runs())
    found = prunable(store, old if arguments.outdated else None)
    sizes = {each.run_id: folder_bytes(each.path) for each in found}
    if arguments.delete and found:
        remove(store, found)
        refresh_index(store)

    def lines() -> list[str]:
        rows = [f"{each.run_id:<26}  {size(sizes[each.run_id]):>9}  {each.reason}" for each in found]
        counts = Counter(str(each.why) for each in found)
        summary = ", ".join(f"{n} {why}" for why, n in counts.items()) or "nothing"
        done = "removed" if arguments.delete else "to remove (add --delete to do it)" if found else "to remove"
        others = 0 if arguments.outdated else len({*old} - {each.run_id for each in found})
        more = [f"{others} outdated stay; --outdated takes in those of other code than this pack's"] if others else []
        return [*rows, f"{summary} {done}, {size(sum(sizes.values()))}", *more]

    tree = [
        {"run_id": each.run_id, "path": str(each.path), "why": str(each.why), "because": each.because}
        | {"bytes": sizes[each.run_id], "removed": bool(arguments.delete)}
        for each in found
    ]
    return _printed(arguments, tree, lines)


def params(arguments: argparse.Namespace) -> int:
    """Print the parameters of a file with every default, as YAML or JSON; raises ParamsError."""
    sections = load(arguments.file).params.sections()
    return _printed(arguments, sections, lambda: dump_yaml(sections).rstrip("\n").split("\n"))


def _folder(arguments: argparse.Namespace) -> RunStore:
    """Return the store of the folder asked for; raises DependencyError where it was named and is not there."""
    store = _options(arguments).store()
    if arguments.runs_dir is not None:
        store.require_folder()
    return store


def _options(arguments: argparse.Namespace) -> RunOptions:
    return RunOptions.of_command(vars(arguments))


def _printed(arguments: argparse.Namespace, tree: Any, lines: Callable[[], list[str]]) -> int:
    if arguments.json:
        out_json(tree)
    else:
        out(*lines())
    return int(Exit.DONE)
