"""What a stage reads: its params, upstream runs, model, windows and questions, each recorded in its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from critnb.canon import CANON, DatasetRole, ModelRole, SliceRole, Stage
from critnb.contract import StageSpec
from critnb.contract.code import differ_in_drawing_only
from critnb.contract.declared import declared
from critnb.engine import ENGINES, Engine
from critnb.errors import DependencyError, IntegrityError
from critnb.params import Loaded, Params, validate
from critnb.pipeline.options import RunOptions
from critnb.runs import Run, RunState, RunStore, RunWriter, upstream_key

if TYPE_CHECKING:
    from critnb.data import Tally
    from critnb.data.questions import Question
    from critnb.model.elsewhere import ModelElsewhere, ModelFacts, ModelSource, Passes
    from critnb.model.language_model import LanguageModel
    from critnb.model.token_coverage import TextReader
    from critnb.model.windows import Slice


# the metric that names the run whose model outputs a run has adopted
ADOPTED_FROM = "adopted_from"


@dataclass(frozen=True)
class _TokenisedCorpus:
    """A corpus as windows of tokens; the reader counts what the tokenizer made of it, the tally what was left out."""

    windows: NDArray[np.int64]
    reader: TextReader
    tally: Tally


class StageInputs:
    """The inputs of one stage; model code is imported where a stage asks for its model."""

    def __init__(self, spec: StageSpec, run: RunWriter, options: RunOptions, store: RunStore) -> None:
        """Read for a run, whose upstream runs lie in ``store``: it may lie elsewhere itself when it is computed again."""
        self.spec, self.options, self.store = spec, options, store
        self._run = run
        config = yaml.safe_load((run.path / CANON.OUTPUT.CONFIG_RESOLVED_YAML).read_text(encoding="utf-8"))
        self.roles = tuple(ModelRole(role) for role in [config.pop("role", None), *config.pop("roles", [])] if role)
        self._loaded = Loaded(validate(config, origin=CANON.OUTPUT.CONFIG_RESOLVED_YAML), "config", options.base_dir)
        self._passes: list[Passes] = []
        self._corpora: dict[DatasetRole, _TokenisedCorpus] = {}

    @property
    def run(self) -> RunWriter:
        """The run in the making."""
        return self._run

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

    @cached_property
    def earlier(self) -> Run | None:
        """The newest run of this stage whose forward passes gave what this one's would: only what draws figures differs.

        That its outputs are adopted is recorded. None where there is no such run, or where a complete run is computed again to
        be compared.
        """
        ours = self.run.record.hash_inputs
        if self.store.state(self.run.run_id) is RunState.complete:
            return None
        runs = [run for run in reversed(self.store.runs(self.spec.id)) if run.run_id != self.run.run_id]
        found = next((run for run in runs if ours is not None and differ_in_drawing_only(run.inputs, ours)), None)
        if found is not None:
            self.run.update(metrics={**self.run.record.metrics, ADOPTED_FROM: found.run_id})
            self.run.log("outputs_adopted", run_id=found.run_id)
        return found

    @cached_property
    def engine(self) -> Engine:
        """Where this stage's shards are worked on."""
        return ENGINES[self.options.engine](scheduler=self.options.scheduler, name=self._run.run_id)

    def engine_facts(self) -> dict[str, Any]:
        """Return what the record says of the engine: its name, and what it did where the stage had shards."""
        return self.engine.facts() if "engine" in vars(self) else {"name": self.options.engine}

    @cached_property
    def model(self) -> LanguageModel | ModelElsewhere:
        """The model of this role, recorded: loaded here, or known from a worker where the engine's workers have it."""
        with self.run.timing("load model"):
            model, facts = self._model_elsewhere() if self.engine.elsewhere else self._source.open()
        determinism = dict(self.run.record.determinism or {})
        self.run.update(
            model=dict(facts.recorded),
            determinism={**determinism, "flags": {**determinism.get("flags", {}), **facts.flags}},
            environment={**(self.run.record.environment or {}), "compute": dict(facts.hardware)},
        )
        self.run.log("model_loaded", **facts.recorded)
        if facts.warning is not None:
            self.run.update(warnings=[*self.run.record.warnings, facts.warning])
            self.run.log("warning", said=facts.warning)
        return model

    def forward_passes(self, burn_in: int | None = None) -> Passes:
        """Return a runner of forward passes under this stage's batch size; the windows it runs are recorded.

        Its burn-in is that of the params, or what is given by a stage that reads no windows. Where the engine's workers have the
        model, it stands for theirs.
        """
        from critnb.model.elsewhere import ModelElsewhere, PassesElsewhere
        from critnb.model.forward import ForwardPasses

        batch = self.params.compute.batch_tokens
        burn_in = self.params.windows.burn_in_tokens if burn_in is None else burn_in
        model = self.model
        passes: Passes = (
            PassesElsewhere(self._source, batch_tokens=batch, burn_in=burn_in, hardware=model.known.hardware)
            if isinstance(model, ModelElsewhere)
            else ForwardPasses(model, batch_tokens=batch, burn_in=burn_in)
        )
        self._passes.append(passes)
        return passes

    @cached_property
    def _source(self) -> ModelSource:
        from critnb.model.elsewhere import ModelSource

        planned = self.run.record.hash_inputs.sections["model"] if self.run.record.hash_inputs else {}
        # a stage that rests on no other relies on no other's checks either: S00 asks whether the model can be trusted
        return ModelSource(
            self._loaded,
            self.role,
            self.options.device,
            dict(planned),
            self.options.checked,
            anew=not self.spec.needs,
            device_map=self.options.device_map,
        )

    def _model_elsewhere(self) -> tuple[ModelElsewhere, ModelFacts]:
        from critnb.model.elsewhere import PassesElsewhere, facts_here, of_source

        (facts,) = self.engine.iter_passes(facts_here, [None], passes=PassesElsewhere(self._source, batch_tokens=1))
        model = of_source(self._source, facts)
        return model, model.known

    def slice(self, role: SliceRole) -> Slice:
        """Return the windows of a slice, recorded with their hash."""
        from critnb.model import windows

        dataset = DatasetRole.B if role is SliceRole.B_eval else DatasetRole.A
        settings = self._loaded.params.windows
        windows.check_context(settings, self.model.context_length)
        corpus = self._corpus(dataset)
        chosen = windows.pick(role, corpus.windows, settings)
        self.model.require_known(chosen.tokens)
        datasets = dict(self.run.record.datasets)
        datasets[role] = {
            **self.options.data[dataset],
            "n_windows": len(chosen.tokens),
            "seq_len": settings.seq_len,
            "slice_sha256": chosen.sha256,
            **corpus.tally.facts(),
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
            **self.options.data[role],
            **{"n_windows": None, "seq_len": None, "slice_sha256": found.corpus.content_sha256},
            **{"n_questions": len(found.questions), "n_null": found.n_null},
        }
        self.run.update(datasets={**self.run.record.datasets, role: facts})
        self.run.log("dataset_loaded", slice=role, **facts)
        return found.questions

    def text_counts(self, dataset: DatasetRole) -> dict[str, Any]:
        """Return what the tokenizer made of a corpus that ``slice`` has read: characters, tokens, and what was lost."""
        return self._corpora[dataset].reader.facts()

    def _corpus(self, dataset: DatasetRole) -> _TokenisedCorpus:
        from critnb import data
        from critnb.model.token_coverage import TextReader
        from critnb.model.windows import corpus_windows

        if dataset not in self._corpora:
            self._check_identity("data", {dataset: data.corpus(self._loaded, dataset).identity()})
            tokenizer, tally = self.model.tokenizer, data.Tally()
            reader = TextReader(tokenizer)
            documents = data.documents(self._loaded, dataset, tally)
            windows = corpus_windows(documents, tokenizer, self._loaded.params.windows.seq_len, reader)
            self._corpora[dataset] = _TokenisedCorpus(windows, reader, tally)
        return self._corpora[dataset]

    def _check_identity(self, section: str, found: Mapping[str, Any]) -> None:
        """Raise IntegrityError if a model or corpus is no longer what the run's id was made from."""
        inputs = self.run.record.hash_inputs
        planned = inputs.sections[section] if inputs else {}
        if any(planned.get(key) != value for key, value in found.items()):
            raise IntegrityError(
                f"{section}: the files changed between the planning of this run and its start; run it again"
            )
