"""What a release says of itself to those who cite or keep it: one source for CITATION.cff, Zenodo and RO-Crate.

CITATION.cff follows the Citation File Format 1.2.0, .zenodo.json the metadata of Zenodo's deposits. The licence is an SPDX
identifier, the one that pyproject.toml names.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from critnb.canon import CANON, PACK_ROOT
from critnb.params import Release
from critnb.runs import pack_version
from critnb.runs.encoding import json_bytes

_KEYWORDS = ("language models", "avalanches", "branching", "criticality", "reproducible research")
_NOBODY = f"The {CANON.PROJECT.ID} authors"
_WIDTH = 120


@dataclass(frozen=True)
class Metadata:
    """Title, authors as the params give them, version, description and licence (SPDX)."""

    title: str
    authors: tuple[str, ...]
    version: str
    description: str
    licence: str

    @classmethod
    def of(cls, release: Release, root: Path = PACK_ROOT) -> Self:
        """Return the metadata of a pack with a params file's section ``release``."""
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return cls(
            title=release.title or CANON.PROJECT.TITLE,
            authors=tuple(release.authors) or (_NOBODY,),
            version=pack_version(),
            description=str(project["description"]),
            licence=str(project["license"]),
        )


def citation_cff(about: Metadata) -> bytes:
    """Return CITATION.cff. ``Family, Given`` is a person; any other author is an entity with a name."""
    content = {
        "cff-version": "1.2.0",
        "message": "If you use this pack or its results, please cite it as below.",
        "type": "software",
        "title": about.title,
        "version": about.version,
        "abstract": about.description,
        "authors": [_cff_author(name) for name in about.authors],
        "keywords": list(_KEYWORDS),
        "license": about.licence,
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=_WIDTH).encode()


def _cff_author(name: str) -> dict[str, str]:
    family, comma, given = (part.strip() for part in name.partition(","))
    return {"family-names": family, "given-names": given} if comma else {"name": name}


def zenodo_json(about: Metadata, date: str) -> bytes:
    """Return .zenodo.json; ``date`` is that of the newest cited run."""
    content: dict[str, Any] = {
        "title": about.title,
        "upload_type": "software",
        "version": about.version,
        "publication_date": date,
        "description": about.description,
        "creators": [{"name": name} for name in about.authors],
        "keywords": list(_KEYWORDS),
        # Zenodo writes SPDX identifiers in small letters
        "license": about.licence.lower(),
    }
    return json_bytes(content)
