"""Where a model's files and a corpus's documents come from: embedded, a local path, or the Hugging Face hub.

Everything here is about content: fingerprints are hashes of what a model or corpus *is*, never of where it lies, so
the same inputs give the same run on every machine.
"""

from __future__ import annotations

import glob
import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critnb.canon import DatasetRole, ModelRole
from critnb.errors import DataError, DependencyError, ParamsError
from critnb.params import EmbeddedSource, FileData, FileModel, HubData, HubModel, HubQuestions, Loaded, ModelSource

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


@dataclass(frozen=True)
class Corpus:
    """A corpus before it is tokenised: where it comes from and the hash of what it holds."""

    role: DatasetRole
    source: str
    revision: str | None
    split: str | None
    content_sha256: str

    def identity(self) -> dict[str, str]:
        """Return what enters a run's hash: content only."""
        return {"content_sha256": self.content_sha256}


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


def corpus(loaded: Loaded, role: DatasetRole) -> Corpus:
    """Fingerprint the corpus of a role; raises DependencyError where it cannot be had, DataError where it cannot be read."""
    source = loaded.params.data.of(role)
    if isinstance(source, HubData):
        revision = hub_revision(source, role)
        described = json.dumps([source.id, source.config, source.split, source.field, revision]).encode()
        return Corpus(role, f"hub:{source.id}", revision, source.split, hashlib.sha256(described).hexdigest())
    digest = hashlib.sha256()
    for document in documents(loaded, role):
        encoded = document.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    if isinstance(source, FileData):
        return Corpus(role, f"file:{Path(source.path).name}", None, None, digest.hexdigest())
    return Corpus(role, "embedded", f"python-{platform.python_version()}", None, digest.hexdigest())


def documents(loaded: Loaded, role: DatasetRole) -> Iterator[str]:
    """Yield the documents of a corpus (A or B) in order; raises DependencyError or DataError as ``corpus`` does."""
    source = loaded.params.data.of(role)
    if isinstance(source, FileData):
        yield from _file_documents(source, loaded, role)
    elif isinstance(source, HubData):
        yield from _hub_documents(source, role)
    elif isinstance(source, EmbeddedSource):
        from critnb.embedded import corpora

        yield from corpora.reference_documents() if role is DatasetRole.A else corpora.module_documents()


def _file_documents(source: FileData, loaded: Loaded, role: DatasetRole) -> Iterator[str]:
    pattern = str(loaded.resolve(source.path))
    paths = matching_files(source.path, loaded)
    if not paths:
        raise DependencyError(
            f"data.{role}.path: no file matches {pattern}; give the path of a .txt, .jsonl or .parquet"
        )
    empty = True
    for path in paths:
        for document in _read_documents(path, source, role):
            empty = empty and not document.strip()
            yield document
    if empty:
        raise DataError(f"data.{role}: {pattern} holds no text; check the path and the field {source.field!r}")


def matching_files(path: str, loaded: Loaded) -> list[Path]:
    """Return the files that a path of the params names, a glob or not, in order."""
    literal = loaded.resolve(path)
    if literal.is_file():
        return [literal]
    # Path.glob takes no absolute pattern; a root of its own keeps the brackets of a folder's name from being one
    pattern = str(Path(path).expanduser())
    found = glob.glob(pattern, root_dir=loaded.base_dir, recursive=True)  # noqa: PTH207
    return [path for path in (loaded.base_dir / name for name in sorted(found)) if path.is_file()]


def _read_documents(path: Path, source: FileData, role: DatasetRole) -> Iterator[str]:
    match path.suffix.lower():
        case ".txt" | ".md":
            text = read_text(path, role)
            pieces = text.split(source.separator) if source.separator else [text]
            yield from (piece for piece in (piece.strip("\n") for piece in pieces) if piece)
        case ".jsonl":
            for number, line in enumerate(read_text(path, role).split("\n"), start=1):
                if line.strip() and (text := _json_field(line, source.field, f"data.{role}: {path} line {number}")):
                    yield text
        case ".parquet":
            yield from _parquet_field(path, source.field, role)
        case suffix:
            raise DataError(f"data.{role}: {path} is a {suffix or 'file without suffix'}; use .txt, .jsonl or .parquet")


def read_text(path: Path, role: DatasetRole) -> str:
    """Return the text of a UTF-8 file; raises DataError, or DependencyError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"data.{role}: {path} is not UTF-8 (byte {error.start}); convert it to UTF-8") from None
    except OSError as error:
        raise DependencyError(f"data.{role}: {path} cannot be read: {error.strerror}") from None


def _json_field(line: str, field: str, where: str) -> str:
    try:
        record: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg}") from None
    return _text(record.get(field) if isinstance(record, dict) else None, field, where)


def _text(value: Any, field: str, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{where}: no text in field {field!r}; set the data source's field")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell halves of surrogate pairs, which are no characters
        raise DataError(
            f"{where}: field {field!r} holds half of a surrogate pair at character {error.start}; repair the text"
        ) from None
    return value


def _parquet_field(path: Path, field: str, role: DatasetRole) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        column = pq.read_table(path, columns=[field]).column(field)
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise DataError(f"data.{role}: {path}: column {field!r} cannot be read: {first_line(error)}") from None
    for row, value in enumerate(column.to_pylist(), start=1):
        if value is not None and (text := _text(value, field, f"data.{role}: {path} row {row}")):
            yield text


def _hub_documents(source: HubData, role: DatasetRole) -> Iterator[str]:
    for row in hub_rows(source, role):
        if source.field not in row:
            raise DataError(f"data.{role}: {source.id} has no field {source.field!r}; set the data source's field")
        yield row[source.field]


def hub_rows(source: HubData | HubQuestions, role: DatasetRole, *, revision: str | None = None) -> Iterator[Any]:
    """Yield the rows of a hub data set at ``revision``, or at the source's; raises DependencyError where it cannot be had."""
    import datasets

    streaming = isinstance(source, HubData) and source.streaming
    wanted = revision or source.revision
    try:
        yield from datasets.load_dataset(
            source.id, source.config, split=source.split, revision=wanted, streaming=streaming
        )
    except Exception as error:
        # load_dataset raises errors of several libraries, from DNS to pyarrow; each means the data set cannot be had
        raise DependencyError(_hub_data_message(source, role, error)) from None


def hub_revision(source: HubData | HubQuestions, role: DatasetRole) -> str:
    """Return the revision of a hub data set, the newest where none is given; raises DependencyError where it cannot be had."""
    if source.revision:
        return source.revision
    from huggingface_hub import HfApi

    try:
        revision = HfApi().dataset_info(source.id).sha
    except Exception as error:
        raise DependencyError(_hub_data_message(source, role, error)) from None
    return str(revision)


def _hub_data_message(source: HubData | HubQuestions, role: DatasetRole, error: Exception) -> str:
    name = f"{source.id} {source.config or ''}".strip()
    field = f", field: {source.field}" if isinstance(source, HubData) else ""
    return (
        f"data.{role}: hub data set {name} ({source.split}) cannot be had ({first_line(error)})\n"
        f"download it where there is a network, then use data.{role}: {{source: file, path: FILE{field}}}"
    )


def first_line(error: Exception) -> str:
    """Return an exception's class and the beginning of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__


def _hash_files(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
