"""What a plan reads: models, corpora and code, each found and hashed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from critnb import data
from critnb.canon import CANON, PACK_ROOT, DatasetRole, ModelRole, Stage
from critnb.contract import StageSpec
from critnb.contract.code import stage_code, stage_constants, stage_files
from critnb.contract.pack_sources import PackSources
from critnb.data import questions
from critnb.params import Loaded
from critnb.runs import notebook_source


@dataclass(frozen=True)
class KnownInputs:
    """What the plans of one command have in common, whatever their params: the stages' code, and corpora by their source."""

    pack: PackSources = field(default_factory=PackSources)
    notebooks: dict[Stage, bytes] = field(default_factory=dict)
    code: dict[Stage, tuple[Mapping[str, Any], Mapping[str, str]]] = field(default_factory=dict)
    corpora: dict[tuple[DatasetRole, str, str], data.Corpus] = field(default_factory=dict)


@dataclass(frozen=True)
class InputFiles:
    """Models and corpora of the params and the stages' code."""

    loaded: Loaded
    known: KnownInputs
    _models: dict[ModelRole, data.ModelFiles] = field(default_factory=dict, init=False)

    def model(self, role: ModelRole) -> data.ModelFiles:
        """Return the files of the model of a role; raises as ``data.model_files``."""
        if role not in self._models:
            self._models[role] = data.model_files(self.loaded, role, digest=data.remembered_digest)
        return self._models[role]

    def corpus(self, role: DatasetRole) -> data.Corpus:
        """Return the fingerprint of a corpus; raises as ``data.corpus``."""
        source = self.loaded.params.data.of(role).model_dump_json()
        key, found = (role, str(self.loaded.base_dir), source), self.known.corpora
        if key not in found:
            is_text = role is not DatasetRole.ARC_MCQ
            found[key] = data.corpus(self.loaded, role) if is_text else questions.read(self.loaded).corpus
        return found[key]

    def notebook(self, spec: StageSpec) -> bytes:
        """Return what the code cells of a stage's notebook say."""
        found = self.known.notebooks
        if spec.id not in found:
            found[spec.id] = notebook_source(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec.notebook)
        return found[spec.id]

    def code(self, spec: StageSpec) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Return the constants that a stage's code names, and the digests of the files that it rests on."""
        found = self.known.code
        if spec.id not in found:
            code = stage_code(spec, pack=self.known.pack)
            found[spec.id] = stage_constants(spec, code=code), stage_files(spec, code=code)
        return found[spec.id]
