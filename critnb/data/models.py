"""Where a model's files come from (embedded, a local directory, or the Hugging Face hub), and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from critnb.canon import ModelRole
from critnb.data.checkpoint import (
    ADAPTER,
    CONFIG,
    TOKENIZER_FILES,
    VERSIONED_TOKENIZERS,
    WEIGHTS_INDEX,
    Checkpoint,
    checkpoint,
)
from critnb.data.hub import first_line
from critnb.data.remembered import file_digest
from critnb.errors import DependencyError, ParamsError
from critnb.params import FileModel, HubModel, Loaded, ModelSource

Digest = Callable[[Path], str]
_HUB_PATTERNS = [CONFIG, ADAPTER, "*.safetensors", WEIGHTS_INDEX, *TOKENIZER_FILES, VERSIONED_TOKENIZERS]


@dataclass(frozen=True)
class ModelFiles:
    """A model directory on disk and what its files are; ``files`` are those that the hashes cover."""

    directory: Path
    files: Checkpoint
    id: str
    revision: str | None
    weights_sha256: str
    tokenizer_sha256: str
    config_sha256: str

    @property
    def weights_bytes(self) -> int:
        """How many bytes the weights have on disk."""
        return sum(path.stat().st_size for path in self.files.weights)

    def identity(self) -> dict[str, str]:
        """Return what enters a run's hash: content only."""
        return {
            "weights_sha256": self.weights_sha256,
            "tokenizer_sha256": self.tokenizer_sha256,
            "config_sha256": self.config_sha256,
        }


def model_files(loaded: Loaded, role: ModelRole, *, digest: Digest = file_digest) -> ModelFiles:
    """Find and fingerprint the model of ``role``; raises ParamsError where there is no such role.

    ``digest`` gives the sha256 of a file of weights: by reading it, or ``remembered_digest``. Raises DependencyError where there
    is no such model, and ModelError where its files do not fit together.
    """
    if role not in loaded.params.models:
        named = ", ".join(loaded.params.models)
        raise ParamsError(f"{loaded.origin}: models.{role} is not given (there is {named}); add it or choose --role")
    source = loaded.params.models[role]
    directory, name, revision = locate_model(source, loaded, role)
    files = checkpoint(directory, f"models.{role}")
    return ModelFiles(
        directory,
        files,
        name,
        revision,
        _hash_files(files.weights, role, digest),
        _hash_files(files.tokenizer, role, file_digest),
        _hash_files([files.config], role, file_digest),
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
    from critnb.data.embedded import weights_directory

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


def _hash_files(paths: Sequence[Path], role: ModelRole, digest: Digest) -> str:
    joined = hashlib.sha256()
    for path in paths:
        try:
            content = digest(path)
        except OSError as error:
            raise DependencyError(f"models.{role}: {path} cannot be read: {error.strerror}") from None
        joined.update(f"{path.name}\0{content}\n".encode())
    return joined.hexdigest()
