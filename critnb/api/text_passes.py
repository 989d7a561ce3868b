"""The forward passes behind ``calibrate`` and ``extract``: a text as windows, and what is measured on them. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.extraction import Wanted, fitted_layers
from critnb.api.numbers import MissingError, numbers
from critnb.api.texts import Reference, Text, Tokens
from critnb.api.words import whole
from critnb.canon import CANON, SpikeDef
from critnb.errors import DataError, ParamsError
from critnb.events import Calibration
from critnb.events.passes import base_rates, calibrate, extract, match_rates
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.language_model import LanguageModel
from critnb.model.windows import corpus_windows

_CONST = CANON.CONST


def windows_of(model: LanguageModel, text: Text, seq_len: int | None, burn_in_tokens: int) -> Tokens:
    """Return a text as windows of token ids [N, T]; raises as ``extract``."""
    for name, given in (("seq_len", 2 if seq_len is None else seq_len), ("burn_in_tokens", burn_in_tokens)):
        whole(given, name, least=None)
    documents = _documents(text)
    tokens = _token_ids(model, text, seq_len) if documents is None else _cut(model, documents, seq_len)
    if model.context_length is not None and tokens.shape[1] > model.context_length:
        raise ParamsError(
            f"seq_len: {tokens.shape[1]} is longer than the model's context of {model.context_length} tokens"
        )
    if tokens.shape[1] - burn_in_tokens < 2 or burn_in_tokens < 0:
        raise ParamsError(
            f"burn_in_tokens: {burn_in_tokens} leaves fewer than 2 of the {tokens.shape[1]} tokens of a window"
        )
    return tokens


def _documents(text: object) -> list[str] | None:
    """Return the texts that were given; None where they may be token ids."""
    given = list(text) if isinstance(text, Sequence) and not isinstance(text, str) else [text]
    if paths := [one for one in given if isinstance(one, PurePath)]:
        raise DataError(f"text: {str(paths[0])!r} is a path; give what stands there, such as path.read_text()")
    documents = [one for one in given if isinstance(one, str)]
    return documents if len(documents) == len(given) else None


def _token_ids(model: LanguageModel, given: object, seq_len: int | None) -> Tokens:
    wanted = "give a string, a list of strings, or whole token ids [N, T]: rows of one length, one row for one window"
    try:
        ids = numbers(given, "text", remedy=wanted)
    except MissingError:
        raise
    except DataError:
        ids = np.empty(0)
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or 0 in ids.shape:
        raise DataError(f"text: {type(given).__name__} is no text; {wanted}")
    if seq_len not in (None, ids.shape[1]):
        raise ParamsError(f"seq_len: token ids are windows already, of {ids.shape[1]} tokens; leave it out")
    vocabulary = int(model.causal.config.vocab_size)
    if ids.min() < 0 or ids.max() >= vocabulary:
        raise DataError(f"text: token ids lie in {ids.min()}..{ids.max()}; the model's lie in 0..{vocabulary - 1}")
    return ids.astype(np.int64)


def _cut(model: LanguageModel, documents: list[str], seq_len: int | None) -> Tokens:
    if seq_len is not None and seq_len < 2:
        raise ParamsError(f"seq_len: {seq_len} is too short; a window has at least 2 tokens")
    stream = corpus_windows(documents, model.tokenizer, 1)[:, 0]
    longest = min(len(stream), _CONST.SEQ_LEN_TOKENS, model.context_length or len(stream))
    length = max(2, longest) if seq_len is None else seq_len
    whole = len(stream) // length * length
    if not whole:
        raise DataError(f"text: {len(stream)} tokens make no window of {length}; give more text or a smaller seq_len")
    return stream[:whole].reshape(-1, length)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows [N, T] of a text and how they are run."""

    model: LanguageModel
    tokens: Tokens
    batch_tokens: int
    burn_in_tokens: int

    def __post_init__(self) -> None:
        whole(self.batch_tokens, "batch_tokens")

    def as_reference(
        self, calibration: Calibration | None, spike_defs: Sequence[SpikeDef], tau0: float = _CONST.TAU0_BASELINE
    ) -> Reference:
        """Return the windows as a reference, with base rates of some spike definitions; moments are measured where not given."""
        passes = self._passes(self.burn_in_tokens)
        known = calibrate(passes, self.tokens) if calibration is None else calibration
        base = base_rates(passes, self.tokens, known, spike_defs, tau0) if spike_defs else {}
        return Reference(known, base, self.tokens, tau0, self.burn_in_tokens)

    def measured(self, known: Reference, wanted: Wanted) -> tuple[pd.DataFrame, npt.NDArray[np.uint16]]:
        """Return the table of layers and the events [N, L, T], thresholds matched on the reference's windows."""
        if wanted.target_rate is None:
            layers = pd.DataFrame({"layer": np.arange(self.model.n_layers), "tau": wanted.tau})
            return layers, self._events(known, wanted, layers)
        targets = known.targets(wanted.spike_def, wanted.target_rate)
        passes = self._passes(known.burn_in_tokens)
        thresholds, counts = match_rates(passes, known.tokens, known.calibration, targets, _setting(wanted))
        layers = fitted_layers(thresholds.to_frame())
        return layers, counts[0, 0] if known.tokens is self.tokens else self._events(known, wanted, layers)

    def _passes(self, burn_in_tokens: int) -> ForwardPasses:
        return ForwardPasses(self.model, batch_tokens=self.batch_tokens, burn_in=burn_in_tokens)

    def _events(self, known: Reference, wanted: Wanted, layers: pd.DataFrame) -> npt.NDArray[np.uint16]:
        tau, passes = layers["tau"].to_numpy(dtype=np.float64)[None, None], self._passes(self.burn_in_tokens)
        found = extract(passes, self.tokens, known.calibration, tau, (wanted.spike_def,), _setting(wanted))
        events: npt.NDArray[np.uint16] = found[0, 0]
        return events


def _setting(wanted: Wanted) -> Setting:
    return Setting(wanted.intervention, wanted.gain)
