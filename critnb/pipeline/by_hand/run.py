"""A stage's run that a person makes in a notebook: begun, left, compared with the run that is there, or published."""

from __future__ import annotations

import atexit
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import nbformat

from critnb.canon import CANON, PACK_ROOT
from critnb.contract import StageSpec
from critnb.contract.code import file_meanings, stage_sources
from critnb.errors import CritnbError, IntegrityError
from critnb.gates import summed_up
from critnb.params import load
from critnb.pipeline.by_hand.notebook_kernel import Line, numeric_variables, restore_defaults, shorten_errors
from critnb.pipeline.by_hand.notebook_outputs import strange_cells, with_outputs
from critnb.pipeline.by_hand.parameters import refuse_unfit, refuse_unknown_parameters
from critnb.pipeline.by_hand.recorder import Recorder
from critnb.pipeline.execute import check_code, check_outputs, execute, prepare
from critnb.pipeline.notebook import keep_notebook
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun, plan_runs
from critnb.pipeline.progress import Event
from critnb.pipeline.waiting import made_or_awaited
from critnb.pipeline.workers import held_workers
from critnb.review.index import refresh_index
from critnb.runs import PartialRun, RunState, RunStore
from critnb.runs.manifest import copy_to_root
from critnb.runs.scratch import Scratch

_NOT_COMPARED = (CANON.RUN_SUBDIR.NOTEBOOK, CANON.RUN_SUBDIR.LOGS)
_NOTE = "run by hand"
_NOTE_WITHOUT_OUTPUTS = "run by hand outside of a notebook's kernel: the notebook is kept without its outputs"
_NAMED = 3

# runs that this process has begun and neither finished nor given up
_open: list[RunByHand] = []
# what the pack's sources said when a run of this process first needed them
_loaded_sources: dict[str, str] = {}


def begin(spec: StageSpec, params: str, overrides: Mapping[str, Any]) -> RunByHand:
    """Make the run of a stage for the notebook that calls this, and before it every upstream run that is missing.

    Where the run is complete already, the stage works in a scratch folder instead. Runs that this process began before and did
    not finish are given up. Raises the errors of the params, of planning, of the run store, and of upstream stages.
    """
    _leave_open()
    shorten_errors(verbose=isinstance(overrides, Mapping) and overrides.get("verbose") is True)
    refuse_unfit(params, overrides)
    refuse_unknown_parameters()
    restore_defaults()
    options, values = RunOptions.of_notebook(overrides)
    store = options.store()
    loaded = load(params, values, given_by=dict.fromkeys(values, "overrides"))
    options = replace(options, allow_resume=True, command=["notebook", spec.notebook]).with_params(loaded)
    roles = options.roles(loaded.params)
    *upstream, planned = plan_runs([spec], loaded, roles, store, join_complete=options.role is None)
    _refuse_stale_code([*upstream, planned])
    options = held_workers([*upstream, planned], options)
    for needed in upstream:
        if store.state(needed.run_id) is not RunState.complete:
            _make_upstream(needed, store, options)
    arguments = {"params": params, "overrides": dict(overrides), "run_dir": None}
    run = RunByHand(planned, store, replace(options, data=planned.data), arguments)
    _open.append(run)
    return run


def _make_upstream(needed: PlannedRun, store: RunStore, options: RunOptions) -> None:
    """Run one upstream stage as the runner does, under a line of the notebook that waits; raises the errors of ``execute``."""
    label = f"{needed.spec.id} {needed.who} {needed.run_id}"
    line = Line(f"{label}: {needed.spec.asks}")

    def show(event: Event) -> None:
        if event["event_type"] == "progress":
            progress = event["payload"]
            line.show(f"{label}: {progress['label']} {progress['done']}/{progress['total']} {progress['unit']}s")

    started = time.monotonic()
    run = made_or_awaited(
        needed,
        store,
        lambda: execute(needed, store, options, show=show),
        seconds=options.wait,
        allow_resume=options.allow_resume,
        waits=lambda held: line.show(f"{label}: {held.awaited}"),
    )
    came_of_it = "made elsewhere" if run is None else summed_up(run.record.metrics.get("gates", ()))
    line.show(f"{label}: {time.monotonic() - started:.1f} s, {came_of_it}")


class RunByHand:
    """One run that a notebook makes; see the module. ``last_line`` is what the notebook showed at its end, once it is over."""

    def __init__(self, planned: PlannedRun, store: RunStore, options: RunOptions, arguments: Mapping[str, Any]) -> None:
        """Make the partial run, or a scratch one where the run is complete."""
        self.store = store
        self.options = options
        self.last_line: str | None = None
        self._planned = planned
        self._arguments = arguments
        self._scratch: Scratch | None = None
        self.run = self._made(options)
        self._notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / planned.spec.notebook, as_version=4)
        self._recorder = Recorder.of_this_kernel()

    def _made(self, options: RunOptions) -> PartialRun:
        run_id, state = self._planned.run_id, self.store.state(self._planned.run_id)
        if state is not RunState.complete:
            run = prepare(self._planned, self.store, options)
            Line(f"{run_id}: {'goes on' if state is RunState.partial else 'begun'} in {run.path}")
            return run
        self._scratch = Scratch()
        Line(f"{run_id} is complete; it is computed again in a scratch folder and compared")
        return prepare(self._planned, self.store, options, place=RunStore(self._scratch.path))

    def finish(self, line: str) -> str:
        """End the run and return what the notebook shows last: ``line``, or how the run compares with the one there was.

        Raises IntegrityError where the cells or the code are not those that the run's id stands for, StageFailedError for
        missing outputs; the run then stays as it is.
        """
        if self._scratch is None:
            self._publish(line)
            self.last_line = line
        else:
            self.last_line = self._compared()
        self._close()
        return self.last_line

    def leave(self) -> None:
        """Give the run up: what holds work is kept as a failed one to go on with, all else is removed."""
        with contextlib.suppress(CritnbError, OSError):
            if self._scratch is None and self.run.holds_work():
                self.run.fail("left before its end")
            elif self._scratch is None:
                self.run.discard()
        self._close()

    def _publish(self, line: str) -> None:
        spec = self._planned.spec
        check_outputs(spec, self.run)
        check_code(self._planned)
        kept, note, warnings = self._seen(line)
        warnings += [f"run by hand with {each}, which chooses other arithmetic" for each in numeric_variables()]
        record = self.run.record
        self.run.update(notes=[*record.notes, note], warnings=[*record.warnings, *warnings])
        keep_notebook(spec, self.run, kept)
        published = self.run.publish()
        refresh_index(self.store)
        copy_to_root(published)

    def _seen(self, line: str) -> tuple[nbformat.NotebookNode, str, list[str]]:
        """Return the notebook to keep, the note on it, and warnings on what no notebook shows."""
        if self._recorder is None:
            return self._notebook, _NOTE_WITHOUT_OUTPUTS, []
        executions = self._recorder.executions()
        strange = strange_cells(self._notebook, executions)
        warnings = [f"run by hand, among {strange} cells that are none of the notebook's"] if strange else []
        return with_outputs(self._notebook, executions, self._arguments, line), _NOTE, warnings

    def _compared(self) -> str:
        ours = _digests(self.run.record.artifact_index)
        theirs = _digests(self.store.open(self._planned.run_id).record.artifact_index)
        differing = [path for path in sorted({*ours, *theirs}) if ours.get(path) != theirs.get(path)]
        if not differing:
            return f"{self._planned.run_id}: computed again, its {len(ours)} artifacts came out the same byte for byte"
        more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        return (
            f"{self._planned.run_id}: computed again, {len(differing)} of {len(theirs)} artifacts differ: "
            f"{', '.join(differing[:_NAMED])}{more}; the run stays as it is"
        )

    def _close(self) -> None:
        if self in _open:
            _open.remove(self)
        self.run.close()
        if self._recorder is not None:
            self._recorder.close()
        if self._scratch is not None:
            self._scratch.close()


def _digests(artifacts: Sequence[Any]) -> dict[str, str]:
    return {each.path: each.sha256 for each in artifacts if each.path.partition("/")[0] not in _NOT_COMPARED}


@atexit.register
def _leave_open() -> None:
    for run in list(_open):
        run.leave()


def _refuse_stale_code(planned: Sequence[PlannedRun]) -> None:
    """Raise IntegrityError where code that this process has loaded was changed on disk since."""
    for path, digest in file_meanings({path for each in planned for path in stage_sources(each.spec)}).items():
        if _loaded_sources.setdefault(path, digest) != digest:
            raise IntegrityError(
                f"{path} was changed since this kernel loaded it\nrestart the kernel and run all again"
            )
