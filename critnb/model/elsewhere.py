"""A model whose weights are in other processes: what is known of it here, and passes that name those of a worker."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from critnb import data
from critnb.canon import ModelRole
from critnb.data import ModelFiles
from critnb.errors import DependencyError, IntegrityError
from critnb.model import loading
from critnb.model.forward import ForwardPasses
from critnb.model.language_model import LanguageModel, named, require_embeddings
from critnb.model.soundness import Soundness
from critnb.params import Loaded

# on a device of its own there is room for the model of one role
_MOST_MODELS = 2


@dataclass(frozen=True)
class ModelSource:
    """Where a role's model comes from and how it is loaded: ``loaded`` are the params, ``identity`` what its files must be.

    ``checked`` and ``anew`` are of ``Soundness``.
    """

    loaded: Loaded
    role: ModelRole
    device: str
    identity: Mapping[str, Any]
    checked: Path | None = None
    anew: bool = False
    device_map: str = "none"

    def open(self) -> tuple[LanguageModel, ModelFacts]:
        """Load the model and return it with its facts.

        Raises the errors of ``data.model_files`` and ``loading.load``, IntegrityError where its files are others, ModelError
        where an intervention of the params has no meaning in it.
        """
        flags = loading.make_deterministic()
        files = self.files()
        params = self.loaded.params
        compute = params.compute.model_copy(update={"device": self.device, "device_map": self.device_map})
        model = loading.load(files, compute, Soundness(self.checked, anew=self.anew))
        model.taps.refuse_mixed(params.gain.interventions)
        warning = loading.without_gpu(self.device, model.device, files)
        return model, ModelFacts.of(model, files, self.role, flags, warning)

    def files(self) -> ModelFiles:
        """Return the model's files; raises the errors of ``data.model_files``, and IntegrityError where they are others."""
        files = data.model_files(self.loaded, self.role, digest=data.remembered_digest)
        if any(self.identity.get(key) != value for key, value in files.identity().items()):
            raise IntegrityError(
                "model: the files changed between the planning of this run and its start; run it again"
            )
        return files

    def key(self) -> str:
        """Return what tells models apart that a worker holds."""
        params = self.loaded.params
        where = self.device, self.device_map
        how = (params.compute.dtype, params.compute.attention, *where, tuple(map(str, params.gain.interventions)))
        return repr((sorted(self.identity.items()), how))


@dataclass(frozen=True)
class ModelFacts:
    """What is said of a loaded model: its sizes, and what the record says of it and of the device that computes."""

    n_layers: int
    n_units: int
    n_tokens: int
    vocabulary: int
    context_length: int | None
    recorded: Mapping[str, Any]
    hardware: Mapping[str, Any]
    flags: Mapping[str, Any]
    shown: str
    warning: str | None = None

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        files: ModelFiles,
        role: ModelRole,
        flags: Mapping[str, Any],
        warning: str | None = None,
    ) -> ModelFacts:
        """Return the facts of a model that was loaded here, and a warning on how."""
        return cls(
            model.n_layers, model.n_units, model.n_tokens, model.vocabulary, model.context_length,
            model.facts(files, role), loading.hardware(model.device, model.placed), dict(flags), repr(model), warning,
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class ModelElsewhere:
    """A model without its weights: facts that a worker gave, and the tokenizer."""

    known: ModelFacts
    tokenizer: Any

    @property
    def n_layers(self) -> int:
        """Number of layers L."""
        return self.known.n_layers

    @property
    def n_units(self) -> int:
        """Number of MLP units F of a layer."""
        return self.known.n_units

    @property
    def n_tokens(self) -> int:
        """Number of tokens that the model has an embedding of."""
        return self.known.n_tokens

    @property
    def vocabulary(self) -> int:
        """Size of the vocabulary that its config names."""
        return self.known.vocabulary

    @property
    def context_length(self) -> int | None:
        """The longest window in tokens that the model can read, None where positions have no end."""
        return self.known.context_length

    def require_known(self, tokens: NDArray[np.int64] | Sequence[int]) -> None:
        """Raise ModelError where a token id, in an array of any shape, has no embedding."""
        require_embeddings(tokens, self.n_tokens)

    def __repr__(self) -> str:
        return self.known.shown


@dataclass
class PassesElsewhere:
    """Stands for the passes of a worker in a process without weights; ``windows_run`` counts what workers have run for it.

    ``hardware`` is what another worker computes with; one that computes with another is refused.
    """

    source: ModelSource
    batch_tokens: int
    burn_in: int = 0
    hardware: Mapping[str, Any] | None = None
    windows_run: int = field(default=0, compare=False)

    def batch_windows(self, length: int) -> int:
        """Return how many windows of so many tokens are in a batch."""
        return max(1, self.batch_tokens // length)

    def here(self) -> ForwardPasses:
        """Return passes of the model in this process, a worker, which loads it once.

        Raises what loading raises, and DependencyError where it computes with another device, or other threads, than it should.
        """
        # before torch has begun to use a device
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # a worker relies on no other's checks, and makes them once
        source = replace(self.source, anew=True)
        model, facts = _opened(_Keyed(source.key(), source))
        if self.hardware is not None and dict(facts.hardware) != dict(self.hardware):
            raise DependencyError(
                f"{_unlike(facts.hardware, self.hardware)}: their last bits differ\n"
                "give a scheduler whose workers are all alike"
            )
        return ForwardPasses(model, batch_tokens=self.batch_tokens, burn_in=self.burn_in, facts=facts)


# passes as a stage has them, of a model here or of one elsewhere
Passes = ForwardPasses | PassesElsewhere


def of_source(source: ModelSource, facts: ModelFacts) -> ModelElsewhere:
    """Return the model of a source without its weights, with the facts of a worker that holds the same ones.

    The worker may have them by another name, or for another role. Raises what ``ModelSource.open`` raises about its files.
    """
    files = source.files()
    recorded = {**facts.recorded, **named(files, source.role)}
    return ModelElsewhere(replace(facts, recorded=recorded), loading.load_tokenizer(files))


def facts_here(passes: ForwardPasses, _shard: object) -> ModelFacts:
    """Return the facts of a worker's model: a shard's work."""
    assert passes.facts is not None
    return passes.facts


@dataclass(frozen=True)
class _Keyed:
    """A source by its key: params that do not matter to a model do not tell two of them apart."""

    key: str
    source: ModelSource = field(compare=False)


@lru_cache(maxsize=_MOST_MODELS)
def _opened(keyed: _Keyed) -> tuple[LanguageModel, ModelFacts]:
    if loading.choose_device(keyed.source.device).type != "cpu":
        # there may be no room for two
        _opened.cache_clear()
        # hooks of accelerate hold a module that they belong to
        gc.collect()
        torch.cuda.empty_cache()
    return keyed.source.open()


def _unlike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    if _words(ours) != _words(theirs):
        return f"it computes with {_words(ours)}, another worker with {_words(theirs)}"
    differing = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    return f"it computes with another {' and '.join(differing)} than another worker"


def _words(hardware: Mapping[str, Any]) -> str:
    return f"{hardware['gpu'] or hardware['device']} and {hardware['torch_threads']} threads"
