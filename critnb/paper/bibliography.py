"""The works that the paper cites: one YAML file, each entry complete, in the order of their authors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from critnb.canon import CANON
from critnb.errors import PaperError

_FEW = 2


class Work(BaseModel):
    """One work. ``authors`` are "Family, Given"; ``where`` is journal, book's publisher or archive with volume and pages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authors: Annotated[list[str], Field(min_length=1)]
    year: int
    title: str
    where: str
    doi: str = ""
    url: str = ""

    @property
    def label(self) -> str:
        """Return how the text cites the work: "Vuong, 1989"."""
        families = [author.partition(",")[0] for author in self.authors]
        who = " and ".join(families) if len(families) <= _FEW else f"{families[0]} et al."
        return f"{who}, {self.year}"

    @property
    def link(self) -> str:
        """Return where the work is found, empty where no address is known."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url

    @property
    def line(self) -> str:
        """Return the work as the list of references has it."""
        return f"{'; '.join(self.authors)} ({self.year}). {self.title}. {self.where}."


Bibliography = Mapping[str, Work]


def load(folder: Path) -> Bibliography:
    """Return the works by key, in the order of their authors; raises PaperError naming file and entry."""
    path = folder / CANON.OUTPUT.BIBLIOGRAPHY_YAML_BASENAME
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        works = {str(key): Work.model_validate(entry) for key, entry in tree.items()}
    except ValidationError as error:
        first = error.errors()[0]
        raise PaperError(f"{path}: an entry is not usable: {first['loc'][0]}: {first['msg']}") from None
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise PaperError(
            f"{path}: not a readable bibliography ({type(error).__name__}); it maps keys to works"
        ) from None
    return dict(sorted(works.items(), key=lambda item: (item[1].authors, item[1].year)))


def line_of(folder: Path, key: str) -> int:
    """Return the line of the file in which an entry begins."""
    lines = (folder / CANON.OUTPUT.BIBLIOGRAPHY_YAML_BASENAME).read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if line.startswith(f"{key}:")), 1)
