"""The text of the windows, without torch: the corpus is cut again with the model's tokenizer and held against the run's hash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from critnb import data as sources
from critnb.canon import DatasetRole, SliceRole, Stage
from critnb.errors import CritnbError, DataError, DependencyError
from critnb.explore.chain import Chain
from critnb.explore.inputs import Places, tokenizer_directory
from critnb.model.windows import corpus_windows, pick
from critnb.params import HubData, Loaded

_TOKENIZER = "tokenizer.json"
_BOUNDARIES = ("bos_token", "eos_token")
_WORD_MARKS = str.maketrans({"▁": " ", "Ġ": " "})
# what would not be seen, or would break a line of labels
_SHOWN = str.maketrans({" ": "·", "\n": "⏎", "\t": "⇥", "\r": "⏎"})


@dataclass(frozen=True)
class WindowTexts:
    """Token ids [N, T] of the windows and their pieces of text; ``reason`` says why there are none."""

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
    """Return the text of the chain's windows, or the reason why it cannot be had."""
    try:
        return _read(chain, places)
    except CritnbError as error:
        return WindowTexts(reason=str(error).splitlines()[0])


def _read(chain: Chain, places: Places) -> WindowTexts:
    source = chain.params.data.of(DatasetRole.A)
    if isinstance(source, HubData):
        raise DependencyError(f"data.{DatasetRole.A} is {source.id} of the hub, which is not fetched to label an axis")
    tokenizer = _Fast.read(tokenizer_directory(places, chain))
    ids = places.first(chain, lambda loaded: _ids(chain, loaded, tokenizer))
    pieces = [[tokenizer.piece(int(token)) for token in window] for window in ids]
    return WindowTexts(ids, pieces, chain.params.windows.burn_in_tokens)


def _ids(chain: Chain, loaded: Loaded, tokenizer: _Fast) -> NDArray[np.int64]:
    role, settings = SliceRole.A_raster, chain.params.windows
    windows = corpus_windows(sources.documents(loaded, DatasetRole.A), tokenizer, settings.seq_len)
    chosen = pick(role, windows, settings)
    recorded = chain.runs[Stage.S03].record.datasets.get(role, {}).get("slice_sha256")
    if chosen.sha256 != recorded:
        raise DataError(
            f"data.{DatasetRole.A} under {loaded.base_dir} is not the text that this run's windows were cut from"
        )
    return chosen.tokens


@dataclass(frozen=True)
class _Fast:
    """A tokenizer.json in the form in which ``corpus_windows`` asks a tokenizer."""

    tokenizer: Tokenizer
    bos_token_id: int | None
    eos_token_id: int | None

    @classmethod
    def read(cls, directory: Path) -> _Fast:
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
