"""Where a corpus's documents come from: embedded, local files, or the Hugging Face hub; and the hash of what they hold."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from critnb.canon import DatasetRole
from critnb.errors import DataError
from critnb.params import EmbeddedSource, FileData, HubData, Loaded
from critnb.sources.files import file_documents
from critnb.sources.hub import hub_revision, hub_rows


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
        yield from file_documents(source, loaded, role)
    elif isinstance(source, HubData):
        yield from _hub_documents(source, role)
    elif isinstance(source, EmbeddedSource):
        from critnb.embedded import corpora

        yield from corpora.reference_documents() if role is DatasetRole.A else corpora.module_documents()


def _hub_documents(source: HubData, role: DatasetRole) -> Iterator[str]:
    for row in hub_rows(source, role):
        if source.field not in row:
            raise DataError(f"data.{role}: {source.id} has no field {source.field!r}; set the data source's field")
        yield row[source.field]
