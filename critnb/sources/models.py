"""Where a model's files come from: embedded, a local directory, or the Hugging Face hub; and what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from critnb.canon import ModelRole
from critnb.errors import DependencyError, ParamsError
from critnb.params import FileModel, HubModel, Loaded, ModelSource
from critnb.sources.hub import first_line

_WEIGHTS = "*.safetensors"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")
_HUB_PATTERNS = [_WEIGHTS, "*.json", "*.txt", "tokenizer.model"]


@dataclass(frozen=True)
class ModelFiles:
    """A model directory on disk and what its files are."""

    directory: Path
    id: str
    revision: str | None
    weights_sha256: str
    tokenizer_sha256: str
    config_sha256: str

    def identity(self) -> dict[str, str]:
        """Return what enters a run's hash: content only."""
        return {
            "weights_sha256": self.weights_sha256,
            "tokenizer_sha256": self.tokenizer_sha256,
            "config_sha256": self.config_sha256,
        }


def model_files(loaded: Loaded, role: ModelRole) -> ModelFiles:
    """Find and fingerprint the model of ``role``; raises ParamsError (no such role) or DependencyError (no such model)."""
    if role not in loaded.params.models:
        named = ", ".join(loaded.params.models)
        raise ParamsError(f"{loaded.origin}: models.{role} is not given (there is {named}); add it or choose --role")
    source = loaded.params.models[role]
    directory, name, revision = locate_model(source, loaded, role)
    weights = sorted(directory.glob(_WEIGHTS))
    if not (directory / "config.json").is_file() or not weights:
        missing = "config.json" if weights else "*.safetensors weights (other formats are not loaded)"
        raise DependencyError(
            f"models.{role}: {directory} holds no {missing}\npoint models.{role} at a directory in the hub's layout: "
            "config.json, model.safetensors, tokenizer.json"
        )
    tokenizer = [directory / file for file in _TOKENIZER_FILES if (directory / file).is_file()]
    tokenizer += sorted(directory.glob("tokenizer.model"))
    if not tokenizer:
        raise DependencyError(f"models.{role}: {directory} holds no tokenizer.json; add the model's tokenizer files")
    return ModelFiles(
        directory,
        name,
        revision,
        _hash_files(weights),
        _hash_files(tokenizer),
        _hash_files([directory / "config.json"]),
    )


def locate_model(source: ModelSource, loaded: Loaded, role: ModelRole) -> tuple[Path, str, str | None]:
    """Return the directory, name and revision of a model, its files not looked at; raises DependencyError."""
    if isinstance(source, FileModel):
        directory = loaded.resolve(source.path)
        if not directory.is_dir():
            raise DependencyError(f"models.{role}.path: no directory {directory}; give the path of a model directory")
        return directory, directory.name, None
    if isinstance(source, HubModel):
        directory, revision = _hub_snapshot(source, role)
        return directory, source.id, revision
    from critnb.embedded import weights_directory

    return weights_directory(role), f"critnb-embedded-{role.lower()}", None


def _hub_snapshot(source: HubModel, role: ModelRole) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(source.id, revision=source.revision, allow_patterns=_HUB_PATTERNS))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        at = f" at revision {source.revision}" if source.revision else ""
        raise DependencyError(
            f"models.{role}: hub model {source.id}{at} cannot be had ({first_line(error)})\n"
            f"download it where there is a network, then use models.{role}: {{source: file, path: DIRECTORY}}"
        ) from None
    return path, path.name


def _hash_files(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
