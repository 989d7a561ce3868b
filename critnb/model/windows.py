"""Windows of tokens: the tokenised corpus cut into T-token windows, and the disjoint slices picked from them.

A slice depends on the corpus, the tokenizer, the window length, the seed and the role of the data, and on nothing
else: not on the run, the model's weights or its path. So BASE and INSTRUCT see the same windows.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critnb.canon import DatasetRole, SliceRole
from critnb.errors import DataError, ParamsError
from critnb.model.token_coverage import TextReader
from critnb.params import Windows

_DATASET_OF = {SliceRole.A_cal: DatasetRole.A, SliceRole.A_raster: DatasetRole.A, SliceRole.B_eval: DatasetRole.B}


@dataclass(frozen=True)
class Slice:
    """The windows of one slice: their ids in the corpus [N] and their tokens [N, T]."""

    role: SliceRole
    window_id: NDArray[np.int32]
    tokens: NDArray[np.int64]

    @property
    def sha256(self) -> str:
        """Hash over the window ids and token ids."""
        digest = hashlib.sha256()
        for each in (self.window_id.astype("<i4"), self.tokens.astype("<i8")):
            digest.update(repr(each.shape).encode() + each.tobytes())
        return digest.hexdigest()


def corpus_windows(
    documents: Iterable[str], tokenizer: Any, seq_len: int, reader: TextReader | None = None
) -> NDArray[np.int64]:
    """Return the corpus as non-overlapping windows [W, T] of token ids; a rest shorter than T is left out.

    Every document begins with ``opening_tokens``. A ``reader`` of the same tokenizer counts what is lost of the text.
    """
    opening = opening_tokens(tokenizer)
    # eight bytes per token, where a list of Python's numbers takes up to 36
    stream = array("q")
    for document in documents:
        stream.extend(opening)
        stream.extend(
            reader.ids(document)
            if reader
            else tokenizer(document, add_special_tokens=False, verbose=False)["input_ids"]
        )
    whole = len(stream) // seq_len * seq_len
    return np.frombuffer(stream, dtype=np.int64, count=whole).reshape(-1, seq_len)


def opening_tokens(tokenizer: Any) -> list[int]:
    """Return what opens a document: the tokenizer's beginning-of-text token, its end-of-text token where there is none.

    It is the boundary that language models see between documents in training; empty where a tokenizer has neither.
    """
    boundary = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [] if boundary is None else [boundary]


def slice_range(role: SliceRole, windows: Windows) -> range:
    """Return the places that a slice takes in the seeded permutation of its corpus's windows."""
    match role:
        case SliceRole.A_cal:
            return range(windows.n_calibration)
        case SliceRole.A_raster:
            return range(windows.n_calibration, windows.n_calibration + windows.n_raster)
        case SliceRole.B_eval:
            return range(windows.n_eval_b)


def pick(role: SliceRole, corpus: NDArray[np.int64], windows: Windows) -> Slice:
    """Pick a slice's windows from ``corpus`` [W, T]; raises DataError if the corpus holds too few.

    A window is named by its place in the corpus. The order of places is a permutation, seeded by the seed and the role
    of the data set.
    """
    places = slice_range(role, windows)
    dataset = _DATASET_OF[role]
    if places.stop > len(corpus):
        raise DataError(
            f"data.{dataset}: {role} needs windows up to number {places.stop} of {windows.seq_len} tokens, the corpus has "
            f"{len(corpus)}\nlower windows.n_*, shorten windows.seq_len or give a larger corpus"
        )
    seed = np.random.SeedSequence([windows.seed, list(DatasetRole).index(dataset)])
    order = np.random.default_rng(seed).permutation(len(corpus))
    chosen = np.sort(order[places.start : places.stop])
    return Slice(role, chosen.astype(np.int32), corpus[chosen])


def check_context(windows: Windows, context_length: int | None) -> None:
    """Raise ParamsError if a window is longer than the model's context."""
    if context_length is not None and windows.seq_len > context_length:
        raise ParamsError(
            f"windows.seq_len: {windows.seq_len} is longer than the model's context of {context_length} tokens; lower it"
        )
