"""Where a corpus's documents come from: embedded, local files, or the Hugging Face hub; and the hash of what they hold."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critnb.canon import DatasetRole
from critnb.data.hub import hub_revision, hub_rows
from critnb.data.local_files import file_values
from critnb.data.records import Tally, document, field_of
from critnb.errors import DataError
from critnb.params import EmbeddedSource, FileData, HubData, Loaded


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
    for text in documents(loaded, role):
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    if isinstance(source, FileData):
        return Corpus(role, f"file:{Path(source.path).name}", None, None, digest.hexdigest())
    return Corpus(role, "embedded", f"python-{platform.python_version()}", None, digest.hexdigest())


def documents(loaded: Loaded, role: DatasetRole, tally: Tally | None = None) -> Iterator[str]:
    """Yield the documents of a corpus (A or B) in order, counting them and what held none in ``tally``.

    Raises DependencyError where the corpus cannot be had; DataError with the place of a field that is missing or no text,
    and where there is no text at all.
    """
    source = loaded.params.data.of(role)
    counted = tally or Tally()
    field = getattr(source, "field", "")
    blank = True
    for where, value in _values(source, loaded, role):
        text = document(value, f"field {field!r}" if field else "it", where, counted)
        if text is not None:
            blank = blank and not text.strip()
            yield text
    if blank:
        raise DataError(f"data.{role}: {_place(source, loaded)} holds no text{_without(counted)}; check the source")


def _values(source: Any, loaded: Loaded, role: DatasetRole) -> Iterator[tuple[str, Any]]:
    if isinstance(source, FileData):
        yield from file_values(source, loaded, role)
    elif isinstance(source, HubData):
        for number, row in enumerate(hub_rows(source, role), start=1):
            where = f"data.{role}: {source.id} row {number}"
            yield where, field_of(row, source.field, where)
    elif isinstance(source, EmbeddedSource):
        from critnb.data.embedded import corpora

        found = corpora.reference_documents() if role is DatasetRole.A else corpora.module_documents()
        yield from ((f"data.{role}: embedded document {number}", text) for number, text in enumerate(found, start=1))


def _place(source: Any, loaded: Loaded) -> str:
    return (
        str(loaded.base_dir / source.path) if isinstance(source, FileData) else str(getattr(source, "id", "the corpus"))
    )


def _without(counted: Tally) -> str:
    """Say what the records held instead of text, where there were any."""
    found = [f"{n} {kind}" for kind, n in (("null", counted.null), ("empty", counted.empty)) if n]
    return f" ({', '.join(found)})" if found else ""
