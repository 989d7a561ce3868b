"""A stage in the hands of its notebook: parameters, model, data, upstream artifacts, and the run it writes.

``begin`` attaches to the run directory that the runner made, or, when a notebook is run by hand, makes one under the same
rules. Everything a stage leaves behind goes through its session and so through the run's index of hashed artifacts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from critnb.canon import CANON, DatasetRole, ModelRole, SliceRole, Stage
from critnb.contract import StageSpec, spec_of
from critnb.contract.declared import declared
from critnb.errors import DependencyError, GateError, IntegrityError, RunExistsError
from critnb.gates import Gate
from critnb.params import Loaded, Params, validate
from critnb.pipeline import progress
from critnb.pipeline.execution_options import Local
from critnb.runs import PartialRun, Run, RunStore, peak_memory, upstream_key

if TYPE_CHECKING:
    from critnb.data import Tally
    from critnb.data.questions import Question
    from critnb.model.forward import ForwardPasses
    from critnb.model.language_model import LanguageModel
    from critnb.model.token_coverage import TextReader
    from critnb.model.windows import Slice
    from critnb.pipeline.by_hand import Hand

_RESULTS = CANON.RUN_SUBDIR.RESULTS
Arrays = Mapping[str, NDArray[Any]]


def begin(
    stage: str, *, params: str = "base.yaml", overrides: Mapping[str, Any] | None = None, run_dir: str | None = None
) -> StageSession:
    """Begin a stage in its notebook.

    With ``run_dir`` the run that the runner made there is continued, and ``params`` and ``overrides`` have been applied
    already. Without it the notebook is run by hand and gets a run of its own in ``runs/``, after upstream runs that are
    missing; ``overrides`` are dotted keys of the params, and ``role``, ``runs_dir``, ``strict`` and ``verbose`` as on the
    command line. Raises the errors of the params, the run store and upstream stages.
    """
    spec = spec_of(Stage(stage))
    if run_dir is not None:
        return StageSession(spec, PartialRun.attach(Path(run_dir).resolve()), Local.from_environment())
    from critnb.pipeline import by_hand as byhand

    hand = byhand.begin(spec, params, overrides or {})
    return StageSession(spec, hand.run, hand.local, hand)


class StageSession:
    """One stage at work; see the module."""

    def __init__(self, spec: StageSpec, run: PartialRun, local: Local, hand: Hand | None = None) -> None:
        """Work on a run that the runner prepared, or with ``hand`` on one that the notebook began itself."""
        self.spec = spec
        self.local = local
        self._run = run
        self._hand = hand
        config = yaml.safe_load((run.path / CANON.OUTPUT.CONFIG_RESOLVED_YAML).read_text(encoding="utf-8"))
        self.roles = tuple(ModelRole(role) for role in [config.pop("role", None), *config.pop("roles", [])] if role)
        self._loaded = Loaded(validate(config, origin=CANON.OUTPUT.CONFIG_RESOLVED_YAML), "config", local.base_dir)
        self._gates: dict[str, Gate] = {}
        self._passes: list[ForwardPasses] = []
        self._tokenised: dict[DatasetRole, NDArray[np.int64]] = {}
        self._readers: dict[DatasetRole, TextReader] = {}
        self._tallies: dict[DatasetRole, Tally] = {}

    @property
    def run(self) -> PartialRun:
        """The run in the making; raises RunExistsError once a run by hand is finished."""
        if self._hand is not None and self._hand.said is not None:
            raise RunExistsError(f"{self._run.run_id} is finished; run the notebook from the top to compute it again")
        return self._run

    @property
    def own(self) -> Run:
        """What this run holds so far, each file checked against its record when it is read: what gates are judged from."""
        return Run(self._run.path, self._run.record, "")

    @property
    def params(self) -> Params:
        """The parameters that the stage table lets this stage read."""
        return declared(self._loaded.params, self.spec.reads, self.spec.id)

    @property
    def role(self) -> ModelRole:
        """The one model role of a stage that does not join roles; raises ValueError in one that joins several."""
        (role,) = self.roles
        return role

    def upstream(self, stage: Stage, role: ModelRole | None = None) -> Run:
        """Return the run of a stage that this one needs; every artifact is checked against its record when it is read.

        A stage that joins roles names the ``role`` of the run. Raises DependencyError where this run rests on no such run.
        """
        key = stage if role is None else upstream_key(stage, role)
        upstream = self.run.record.hash_inputs.upstream if self.run.record.hash_inputs else {}
        if key not in upstream:
            raise DependencyError(
                f"stage {self.spec.id} rests on no run {key}; its row in critnb/contract/ says on which"
            )
        return self.store.open(upstream[key])

    @property
    def store(self) -> RunStore:
        """The folder of the runs that this one rests on; a run that is computed again by hand lies elsewhere itself."""
        return self._hand.store if self._hand is not None else RunStore(self._run.path.parent)

    @cached_property
    def model(self) -> LanguageModel:
        """The model of this role, loaded and recorded."""
        from critnb import data as sources
        from critnb.model import loading

        flags = loading.make_deterministic()
        files = sources.model_files(self._loaded, self.role)
        self._check_identity("model", files.identity())
        compute = self._loaded.params.compute.model_copy(update={"device": self.local.device})
        with self.run.timing("load model"):
            model = loading.load(files, compute)
            model.taps.refuse_mixed(self._loaded.params.gain.interventions)
        facts = model.facts(files, self.role)
        determinism = dict(self.run.record.determinism or {})
        self.run.update(
            model=facts,
            determinism={**determinism, "flags": {**determinism.get("flags", {}), **flags}},
            environment={**(self.run.record.environment or {}), "compute": loading.hardware(model.device)},
        )
        self.run.log("model_loaded", **facts)
        return model

    def forward_passes(self) -> ForwardPasses:
        """Return a runner of forward passes under this stage's batch size and burn-in; the windows it runs are recorded."""
        from critnb.model.forward import ForwardPasses

        params = self.params
        passes = ForwardPasses(
            self.model, batch_tokens=params.compute.batch_tokens, burn_in=params.windows.burn_in_tokens
        )
        self._passes.append(passes)
        return passes

    def slice(self, role: SliceRole) -> Slice:
        """Return the windows of a slice, recorded with their hash."""
        from critnb.model import windows

        dataset = DatasetRole.B if role is SliceRole.B_eval else DatasetRole.A
        settings = self._loaded.params.windows
        windows.check_context(settings, self.model.context_length)
        chosen = windows.pick(role, self._corpus_windows(dataset), settings)
        self.model.require_known(chosen.tokens)
        datasets = dict(self.run.record.datasets)
        datasets[role] = {
            **self.local.data[dataset],
            "n_windows": len(chosen.tokens),
            "seq_len": settings.seq_len,
            "slice_sha256": chosen.sha256,
            **self._tallies[dataset].facts(),
        }
        self.run.update(datasets=datasets)
        self.run.log("dataset_loaded", slice=role, **datasets[role])
        return chosen

    def questions(self) -> tuple[Question, ...]:
        """Return the multiple-choice questions of role ARC_MCQ, recorded with their hash."""
        from critnb.data import questions

        role = DatasetRole.ARC_MCQ
        found = questions.read(self._loaded)
        self._check_identity("data", {role: found.corpus.identity()})
        facts = {
            **self.local.data[role],
            **{"n_windows": None, "seq_len": None, "slice_sha256": found.corpus.content_sha256},
            **{"n_questions": len(found.questions), "n_null": found.n_null},
        }
        self.run.update(datasets={**self.run.record.datasets, role: facts})
        self.run.log("dataset_loaded", slice=role, **facts)
        return found.questions

    def text_counts(self, dataset: DatasetRole) -> dict[str, Any]:
        """Return what the tokenizer made of a corpus that ``slice`` has read: characters, tokens, and what was lost."""
        return self._readers[dataset].facts()

    def _corpus_windows(self, dataset: DatasetRole) -> NDArray[np.int64]:
        from critnb import data as sources
        from critnb.model.token_coverage import TextReader
        from critnb.model.windows import corpus_windows

        if dataset not in self._tokenised:
            self._check_identity("data", {dataset: sources.corpus(self._loaded, dataset).identity()})
            tokenizer, tally = self.model.tokenizer, sources.Tally()
            reader = TextReader(tokenizer)
            documents = sources.documents(self._loaded, dataset, tally)
            seq_len = self._loaded.params.windows.seq_len
            self._tokenised[dataset] = corpus_windows(documents, tokenizer, seq_len, reader)
            self._readers[dataset], self._tallies[dataset] = reader, tally
        return self._tokenised[dataset]

    def _check_identity(self, section: str, found: Mapping[str, Any]) -> None:
        """Raise IntegrityError if a model or corpus is no longer what the run's id was made from."""
        inputs = self.run.record.hash_inputs
        planned = inputs.sections[section] if inputs else {}
        if any(planned.get(key) != value for key, value in found.items()):
            raise IntegrityError(
                f"{section}: the files changed between the planning of this run and its start; run it again"
            )

    def progress(self, label: str, total: int, unit: str = "window") -> AbstractContextManager[progress.Advance]:
        """Return a context that yields ``advance(n)``; shown where the stage was started, never in the kept notebook."""
        if self._hand is not None:
            return progress.bar(label, total, unit)
        return progress.reported(
            lambda done: self.run.log("progress", label=label, done=done, total=total, unit=unit), total
        )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; its seconds go into the record, its end into the log."""
        with self.run.timing(name):
            yield

    def checkpointed(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return the arrays of a step, from an interrupted earlier attempt at this run where it finished the step."""
        kept = self.run.load_checkpoint(name)
        if kept is not None:
            self.run.log("checkpoint_reused", name=name)
            return kept
        with self.run.timing(name):
            arrays = compute()
        self.run.save_checkpoint(name, dict(arrays))
        return arrays

    def save_npz(self, basename: str, arrays: Arrays) -> None:
        """Write arrays under results/."""
        self.run.write_npz(f"{_RESULTS}/{basename}", dict(arrays))

    def save_parquet(self, basename: str, frame: pd.DataFrame) -> None:
        """Write a table of data under results/."""
        self.run.write_parquet(f"{_RESULTS}/{basename}", frame)

    def save_json(self, basename: str, content: Any) -> None:
        """Write JSON under results/."""
        self.run.write_json(f"{_RESULTS}/{basename}", content)

    def conditions(self, frame: pd.DataFrame) -> None:
        """Record the conditions of this stage's raster."""
        self.run.update(conditions=frame.to_dict("records"))

    def summary(self, **numbers: Any) -> None:
        """Add summary numbers to the record's metrics."""
        self.run.update(metrics={**self.run.record.metrics, **numbers})

    def judge(self, *judged: Gate) -> Any:
        """Record gates, each name once, and return them as a table to show."""
        self._gates.update({gate.name: gate for gate in judged})
        self.run.update(metrics={**self.run.record.metrics, "gates": [gate.as_dict() for gate in self._gates.values()]})
        from critnb.report.display import gates

        return gates(judged)

    def finish(self) -> str:
        """Close the stage; by hand this also publishes the run. Returns the line that a notebook shows at its end."""
        if self._hand is not None and self._hand.said is not None:
            return self._hand.said
        self.run.update(forward_windows=sum(passes.windows_run for passes in self._passes))
        self.run.log("memory", peak_bytes=peak_memory())
        passed = [gate.passed for gate in self._gates.values()]
        if self.local.strict and not all(passed):
            names = ", ".join(gate.name for gate in self._gates.values() if not gate.passed)
            raise GateError(f"--strict: {self.spec.id} has gates that did not pass: {names}; see its notebook")
        verdict = f"{sum(passed)} of {len(passed)} gates passed"
        line = f"{self.run.run_id}: {len(self.run.record.artifact_index)} artifacts written, {verdict}"
        if self._hand is not None:
            return self._hand.finish(line)
        self.run.close()
        return line
