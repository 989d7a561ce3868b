"""The model and the corpus that a chain was made with, found again: a run says what they are, not where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from critnb import data as sources
from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.errors import CritnbError, DependencyError
from critnb.explore.chain import Chain
from critnb.params import FileData, FileModel, Loaded, Params

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Places:
    """The folders that relative paths of a run's params may be meant from; ``given`` is asked first."""

    given: Path | None = None

    def loaded(self, chain: Chain) -> Iterator[Loaded]:
        """Yield the chain's params, once with each folder; once at all where none of their paths is relative."""
        runs = chain.end.path.parent
        usual = (PACK_ROOT / CANON.PATH.PARAMS_DIR, Path.cwd(), runs.parent, runs.parent / CANON.PATH.PARAMS_DIR, runs)
        folders = list(dict.fromkeys(path.resolve() for path in (self.given, *usual) if path is not None))
        for folder in folders if _has_relative_paths(chain.params) else folders[:1]:
            yield Loaded(chain.params, chain.runs[Stage.S03].run_id, folder)

    def first(self, chain: Chain, find: Callable[[Loaded], _Found]) -> _Found:
        """Return what ``find`` finds from the first folder where it finds anything; raises the first folder's error."""
        errors: list[CritnbError] = []
        for loaded in self.loaded(chain):
            try:
                return find(loaded)
            except CritnbError as error:
                errors.append(error)
        raise DependencyError(
            f"{str(errors[0]).splitlines()[0]}; name the folder of its params: Explorer(..., params=FOLDER)"
        )


def _has_relative_paths(params: Params) -> bool:
    """Whether the folder of the params matters to the model or to the corpus of the rasters."""
    named = [
        source.path for source in (*params.models.values(), params.data.A) if isinstance(source, FileModel | FileData)
    ]
    return any(not Path(path).expanduser().is_absolute() for path in named)


def tokenizer_directory(places: Places, chain: Chain) -> Path:
    """Return the directory of the chain's model, which need not hold its weights; raises DependencyError."""

    def find(loaded: Loaded) -> Path:
        return sources.locate_model(loaded.params.models[chain.role], loaded, chain.role)[0]

    return places.first(chain, find)


def model_files(places: Places, chain: Chain) -> sources.ModelFiles:
    """Return the files of the chain's model, checked to be those of its runs; raises DependencyError."""
    recorded = chain.runs[Stage.S03].record.model or {}

    def find(loaded: Loaded) -> sources.ModelFiles:
        files = sources.model_files(loaded, chain.role)
        for name in ("weights_sha256", "tokenizer_sha256"):
            if getattr(files, name) != recorded.get(name):
                raise DependencyError(
                    f"models.{chain.role}: {files.directory} is not the model of this run ({name} differs)"
                )
        return files

    return places.first(chain, find)
