"""The hand of a person on a stage's run: begun, left, compared with the run that is there, or published."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat

from critnb.canon import CANON, PACK_ROOT
from critnb.contract import StageSpec
from critnb.errors import CritnbError, IntegrityError
from critnb.params import load
from critnb.pipeline.by_hand.defaults import numeric_variables, restore_defaults
from critnb.pipeline.by_hand.notebook_display import Line, shorten_errors
from critnb.pipeline.by_hand.notebook_options import Wishes
from critnb.pipeline.by_hand.notebook_outputs import strange_cells, with_outputs
from critnb.pipeline.by_hand.recorder import Recorder
from critnb.pipeline.by_hand.upstream import make
from critnb.pipeline.execute import Options, check_code, check_outputs, keep_notebook, prepare
from critnb.pipeline.execution_options import Local
from critnb.pipeline.plan import PlannedRun, Planner
from critnb.review.index import refresh_index
from critnb.runs import PartialRun, RunState, RunStore
from critnb.runs.manifest import copy_to_root
from critnb.runs.scratch import Scratch

_NOT_COMPARED = (CANON.RUN_SUBDIR.NOTEBOOK, CANON.RUN_SUBDIR.LOGS)
_NOTE = "run by hand"
_NOTE_WITHOUT_OUTPUTS = "run by hand outside of a notebook's kernel: the notebook is kept without its outputs"
_NAMED = 3

# what this process has begun and neither finished nor left
_open: list[Hand] = []
# digests of the pack's sources when this process first rested on them
_loaded_sources: dict[str, str] = {}


def begin(spec: StageSpec, params: str, overrides: Mapping[str, Any]) -> Hand:
    """Make the run of a stage for the notebook that calls this, and before it every upstream run that is missing.

    Where the run is complete already, the stage works in a scratch folder instead. What this process had begun before is
    left. Raises the errors of the params, the planner, the run store, and of upstream stages.
    """
    _leave_open()
    restore_defaults()
    shorten_errors(verbose=overrides.get("verbose") is True)
    wishes = Wishes.of(overrides)
    loaded = load(params, wishes.overrides)
    store = RunStore(wishes.runs_dir)
    planner = Planner(loaded, wishes.roles(loaded.params), store, join_complete=wishes.role is None)
    *upstream, planned = planner.plan([spec])
    _refuse_stale_code([*upstream, planned])
    options = Options(
        device=loaded.params.compute.device,
        allow_resume=True,
        strict=wishes.strict,
        command=["notebook", spec.notebook],
    )
    for needed in upstream:
        if store.state(needed.run_id) is not RunState.complete:
            make(needed, planner, store, loaded, options)
    local = Local(loaded.base_dir, options.device, options.strict, planner.data_facts(planned))
    hand = Hand(planned, store, options, local, {"params": params, "overrides": dict(overrides), "run_dir": None})
    _open.append(hand)
    return hand


class Hand:
    """One run in the hands of a notebook; see the module."""

    def __init__(
        self, planned: PlannedRun, store: RunStore, options: Options, local: Local, arguments: Mapping[str, Any]
    ) -> None:
        """Make the partial run, or a scratch one where the run is complete."""
        self.store = store
        self.local = local
        self.said: str | None = None
        self._planned = planned
        self._arguments = arguments
        self._scratch: Scratch | None = None
        self.run = self._made(options)
        self._notebook = nbformat.read(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / planned.spec.notebook, as_version=4)
        self._recorder = Recorder.of_this_kernel()

    def _made(self, options: Options) -> PartialRun:
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
            self.said = line
        else:
            self.said = self._compared()
        self._close()
        return self.said

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
    for hand in list(_open):
        hand.leave()


def _refuse_stale_code(planned: Sequence[PlannedRun]) -> None:
    """Refuse to compute with code that this process loaded before it was changed on disk."""
    for path, digest in {path: digest for each in planned for path, digest in each.inputs.sources.items()}.items():
        if path.endswith(".py") and _loaded_sources.setdefault(path, digest) != digest:
            raise IntegrityError(
                f"{path} was changed since this kernel loaded it\nrestart the kernel and run all again"
            )
