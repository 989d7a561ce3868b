"""The inputs that a chain was made with, found again: its model's files, and the text of its windows. No torch.

A run records what its model and its corpus are, not where they lie. The corpus is cut again with the model's tokenizer
and compared with the run's hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from critnb import data
from critnb.canon import CANON, PACK_ROOT, DatasetRole, SliceRole, Stage
from critnb.errors import CritnbError, DataError, DependencyError
from critnb.explore.chain import Chain
from critnb.model.windows import corpus_windows, pick
from critnb.params import FileData, FileModel, HubData, Loaded, Params

_TOKENIZER = "tokenizer.json"
_BOUNDARIES = ("bos_token", "eos_token")
_WORD_MARKS = str.maketrans({"▁": " ", "Ġ": " "})
# characters that are invisible, or would break a line of labels
_SHOWN = str.maketrans({" ": "·", "\n": "⏎", "\t": "⇥", "\r": "⏎"})
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Places:
    """The folders that relative paths of a run's params may start from; ``given`` is tried first."""

    given: Path | None = None

    def loaded(self, chain: Chain) -> Iterator[Loaded]:
        """Yield the chain's params with each folder; only once where none of their paths is relative."""
        runs = chain.end.path.parent
        usual = (PACK_ROOT / CANON.PATH.PARAMS_DIR, Path.cwd(), runs.parent, runs.parent / CANON.PATH.PARAMS_DIR, runs)
        folders = list(dict.fromkeys(path.resolve() for path in (self.given, *usual) if path is not None))
        for folder in folders if _has_relative_paths(chain.params) else folders[:1]:
            yield Loaded(chain.params, chain.runs[Stage.S03].run_id, folder)

    def first(self, chain: Chain, find: Callable[[Loaded], _Found]) -> _Found:
        """Return the result of ``find`` from the first folder where it succeeds; raises the first folder's error."""
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
    """Return whether the model or the corpus of the rasters has a relative path."""
    named = [
        source.path for source in (*params.models.values(), params.data.A) if isinstance(source, FileModel | FileData)
    ]
    return any(not Path(path).expanduser().is_absolute() for path in named)


def tokenizer_directory(places: Places, chain: Chain) -> Path:
    """Return the directory of the chain's model, with or without its weights; raises DependencyError."""

    def find(loaded: Loaded) -> Path:
        return data.locate_model(loaded.params.models[chain.role], loaded, chain.role)[0]

    return places.first(chain, find)


def model_files(places: Places, chain: Chain) -> data.ModelFiles:
    """Return the files of the chain's model, checked to be those of its runs; raises DependencyError."""
    recorded = chain.runs[Stage.S03].record.model or {}

    def find(loaded: Loaded) -> data.ModelFiles:
        files = data.model_files(loaded, chain.role)
        for name in ("weights_sha256", "tokenizer_sha256"):
            if getattr(files, name) != recorded.get(name):
                raise DependencyError(
                    f"models.{chain.role}: {files.directory} is not the model of this run ({name} differs)"
                )
        return files

    return places.first(chain, find)


@dataclass(frozen=True)
class WindowTexts:
    """Token ids [N, T] of the windows and their pieces of text; ``reason`` says why they are missing."""

    ids: NDArray[np.int64] | None = None
    pieces: Sequence[Sequence[str]] = ()
    burn_in: int = 0
    reason: str = ""

    def of(self, row: int) -> tuple[str, ...] | None:
        """Return the pieces [T - burn_in] of a window, None where texts are not available."""
        return tuple(self.pieces[row])[self.burn_in :] if self.ids is not None else None


def shown_piece(text: str) -> str:
    """Return a token's text with its white space and control characters visible."""
    shown = text.translate(_SHOWN)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown) or "∅"


def window_texts(chain: Chain, places: Places) -> WindowTexts:
    """Return the text of the chain's windows, or the reason why it is not available."""
    try:
        return _read(chain, places)
    except CritnbError as error:
        return WindowTexts(reason=str(error).splitlines()[0])


def _read(chain: Chain, places: Places) -> WindowTexts:
    source = chain.params.data.of(DatasetRole.A)
    if isinstance(source, HubData):
        raise DependencyError(f"data.{DatasetRole.A} is {source.id} of the hub, which is not fetched to label an axis")
    tokenizer = _FastTokenizer.read(tokenizer_directory(places, chain))
    ids = places.first(chain, lambda loaded: _ids(chain, loaded, tokenizer))
    pieces = [[tokenizer.piece(int(token)) for token in window] for window in ids]
    return WindowTexts(ids, pieces, chain.params.windows.burn_in_tokens)


def _ids(chain: Chain, loaded: Loaded, tokenizer: _FastTokenizer) -> NDArray[np.int64]:
    role, settings = SliceRole.A_raster, chain.params.windows
    windows = corpus_windows(data.documents(loaded, DatasetRole.A), tokenizer, settings.seq_len)
    chosen = pick(role, windows, settings)
    recorded = chain.runs[Stage.S03].record.datasets.get(role, {}).get("slice_sha256")
    if chosen.sha256 != recorded:
        raise DataError(
            f"data.{DatasetRole.A} under {loaded.base_dir} is not the text that this run's windows were cut from"
        )
    return chosen.tokens


@dataclass(frozen=True)
class _FastTokenizer:
    """A tokenizer.json with the interface that ``corpus_windows`` uses."""

    tokenizer: Tokenizer
    bos_token_id: int | None
    eos_token_id: int | None

    @classmethod
    def read(cls, directory: Path) -> _FastTokenizer:
        if not (directory / _TOKENIZER).is_file():
            raise DependencyError(f"{directory} has no {_TOKENIZER}, without which tokens are not read back here")
        tokenizer = Tokenizer.from_file(str(directory / _TOKENIZER))
        tokenizer.no_truncation()
        settings = _json(directory / "tokenizer_config.json") | _json(directory / "special_tokens_map.json")
        bos, eos = (_id(tokenizer, settings.get(name)) for name in _BOUNDARIES)
        return cls(tokenizer, bos, eos)

    def __call__(self, document: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": self.tokenizer.encode(document, add_special_tokens=False).ids}

    def piece(self, token: int) -> str:
        """Return a token's text, its white space visible."""
        raw = self.tokenizer.id_to_token(token) or ""
        text = raw.translate(_WORD_MARKS) if "▁" in raw else self.tokenizer.decode([token], skip_special_tokens=False)
        return shown_piece(text)


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _id(tokenizer: Tokenizer, named: Any) -> int | None:
    token = named.get("content") if isinstance(named, dict) else named
    return tokenizer.token_to_id(token) if isinstance(token, str) else None
