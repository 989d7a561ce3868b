"""A stage seen from the cells of its notebook: its inputs, the run that it writes, and its gates.

``begin`` attaches to the run directory that the runner made, or, when a notebook is run by hand, makes one under the same
rules. Everything a stage leaves behind goes through its session and so through the run's index of hashed artifacts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, Stage
from critnb.contract import StageSpec, spec_of
from critnb.errors import GateError, RunExistsError
from critnb.gates import Gate, JudgedGates
from critnb.pipeline import progress
from critnb.pipeline.inputs import StageInputs
from critnb.pipeline.options import RunOptions
from critnb.report.links import Link, find
from critnb.runs import HashInputs, PartialRun, Run, RunState, RunStore, RunWriter, peak_memory
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex
from critnb.runs.reuse import shared_arrays

if TYPE_CHECKING:
    from critnb.pipeline.by_hand import RunByHand

_RESULTS = CANON.RUN_SUBDIR.RESULTS
# the metric that names what a run has taken from the folder's shared arrays, with the digest of what these rest on
SHARED = "shared"
# beside code, what numbers can hang on in their last bits
_MACHINE = ("python", "implementation", "platform", "cpu", "packages")
_COMPILERS = ("numba", "llvmlite")
Arrays = Mapping[str, np.ndarray[Any, Any]]


def begin(
    stage: str, *, params: str = "base.yaml", overrides: Mapping[str, Any] | None = None, run_dir: str | None = None
) -> StageSession:
    """Begin a stage in its notebook.

    With ``run_dir``, attach to the run that the runner made there; ``params`` and ``overrides`` have been applied already.
    Without it the notebook is run by hand: it gets a run of its own in ``runs/``, and missing upstream runs are made first;
    ``overrides`` are dotted keys of the params, and ``role``, ``runs_dir``, ``strict`` and ``verbose`` as on the
    command line. Raises the errors of the params, the run store and upstream stages.
    """
    spec = spec_of(Stage(stage))
    if run_dir is not None:
        return StageSession(spec, PartialRun.attach(Path(run_dir).resolve()), RunOptions.of_kernel())
    from critnb.pipeline import by_hand

    begun = by_hand.begin(spec, params, overrides or {})
    return StageSession(spec, begun.run, begun.options, begun)


class StageSession(StageInputs):
    """One stage at work: what it reads (``StageInputs``), what it writes, and its gates."""

    def __init__(self, spec: StageSpec, run: RunWriter, options: RunOptions, by_hand: RunByHand | None = None) -> None:
        """Work on a run that the runner prepared, or on one that the notebook began ``by_hand``."""
        super().__init__(spec, run, options, by_hand.store if by_hand is not None else RunStore(run.path.parent))
        self._by_hand = by_hand
        self._gates = JudgedGates()

    @property
    def run(self) -> RunWriter:
        """The run in the making; raises RunExistsError once a run by hand is finished."""
        if self._by_hand is not None and self._by_hand.last_line is not None:
            raise RunExistsError(f"{self._run.run_id} is finished; run the notebook from the top to compute it again")
        return self._run

    @property
    def own(self) -> Run:
        """What this run holds so far, each file checked against its record when it is read: what gates are judged from."""
        return Run(self._run.path, self._run.record, "")

    def progress(self, label: str, total: int, unit: str = "window") -> AbstractContextManager[progress.Advance]:
        """Return a context that yields ``advance(n)``; shown where the stage was started, never in the kept notebook."""
        if self._by_hand is not None:
            return progress.bar(label, total, unit)
        return progress.reported(
            lambda done: self.run.log("progress", label=label, done=done, total=total, unit=unit), total
        )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; its seconds go into the record, its end into the log."""
        with self.run.timing(name):
            yield

    def kept(self, name: str) -> Arrays | None:
        """Return the arrays that an interrupted earlier attempt at this run has left of a step, None where it left none."""
        kept = self.run.load_checkpoint(name)
        if kept is not None:
            self.run.log("checkpoint_reused", name=name)
        return kept

    def shared(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return the arrays of a step that follow from this stage's code and this machine alone, computed once a runs folder.

        The record says whether they were there. A complete run that is computed again to be compared takes none.
        """
        inputs = self.run.record.hash_inputs
        if inputs is None or self.store.state(self.run.run_id) is RunState.complete:
            return compute()
        key = self._code_and_machine(inputs)
        with self.run.timing(name):
            arrays, were_there = shared_arrays(self.store.root, name, key, compute)
        if were_there:
            self.run.update(metrics={**self.run.record.metrics, SHARED: {name: key}})
            self.run.log("arrays_shared", name=name, key=key)
        return arrays

    def _code_and_machine(self, inputs: HashInputs) -> str:
        """Return the digest of the code that the stage rests on, of this Python, its packages and its processor."""
        environment = self.run.record.environment or {}
        machine = [environment.get(key) for key in _MACHINE]
        compilers = [metadata.version(name) for name in _COMPILERS]
        return sha256_hex(canonical_json([inputs.sources, inputs.sections.get("constants"), machine, compilers]))

    def save_npz(self, basename: str, arrays: Arrays) -> None:
        """Write arrays under results/."""
        self.run.write_npz(f"{_RESULTS}/{basename}", dict(arrays))

    def save_parquet(self, basename: str, frame: pd.DataFrame | Iterable[pd.DataFrame]) -> None:
        """Write a table of data under results/, or the rows of one frame after the other."""
        self.run.write_parquet(f"{_RESULTS}/{basename}", frame)

    def save_json(self, basename: str, content: Any) -> None:
        """Write JSON under results/."""
        self.run.write_json(f"{_RESULTS}/{basename}", content)

    def file(self, name: str, rows: str = "") -> Link:
        """Return the link to a file of this run or of one that it rests on, for a table or picture that shows some of its rows.

        ``name``: a table's number such as T01, or the name of a file under results/. Raises DependencyError where there is none.
        """
        upstream = self.run.record.hash_inputs.upstream if self.run.record.hash_inputs else {}
        return find(name, self.run.record, [self.store.open(run_id).record for run_id in upstream.values()], rows)

    def conditions(self, frame: pd.DataFrame) -> None:
        """Record the conditions of this stage's raster."""
        self.run.update(conditions=frame.to_dict("records"))

    def summary(self, **numbers: Any) -> None:
        """Add summary numbers to the record's metrics."""
        self.run.update(metrics={**self.run.record.metrics, **numbers})

    def judge(self, *judged: Gate) -> Any:
        """Record gates, each name once, and return them as a table to show."""
        from critnb.report.display import gates

        self._gates.add(judged)
        self.summary(gates=self._gates.as_dicts())
        return gates(judged)

    def finish(self) -> str:
        """Close the stage; by hand this also publishes the run. Returns the line that a notebook shows at its end."""
        if self._by_hand is not None and self._by_hand.last_line is not None:
            return self._by_hand.last_line
        self.run.update(
            forward_windows=sum(passes.windows_run for passes in self._passes),
            environment={**(self.run.record.environment or {}), "engine": self.engine_facts()},
        )
        self.run.log("memory", peak_bytes=peak_memory())
        if self.options.strict and (names := self._gates.not_passed()):
            raise GateError(
                f"--strict: {self.spec.id} has gates that did not pass: {', '.join(names)}; see its notebook"
            )
        line = f"{self.run.run_id}: {len(self.run.record.artifact_index)} artifacts written, {self._gates.verdict()}"
        if self._by_hand is not None:
            return self._by_hand.finish(line)
        self.run.close()
        return line
