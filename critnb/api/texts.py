"""Events of a loaded language model on any text: what they are measured against, and the passes that measure them.

Torch is imported where the passes run, not with this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.arguments import MissingError, numbers, whole
from critnb.api.extraction import Extraction, Floats, Request, extraction, fitted_layers
from critnb.canon import CANON, Intervention, SpikeDef
from critnb.errors import DataError, ParamsError
from critnb.events import Calibration, RateTargets

if TYPE_CHECKING:
    from critnb.model.forward import ForwardPasses, Setting
    from critnb.model.language_model import LanguageModel

_CONST = CANON.CONST
Tokens = npt.NDArray[np.int64]
Text: TypeAlias = str | Sequence[str] | Tokens | Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False, repr=False)
class Reference:
    """The reference of events: mu and sigma of every unit at gain 1, base rates [L], and the windows [N, T] they come from."""

    calibration: Calibration
    base: Mapping[SpikeDef, Floats]
    tokens: Tokens = field(repr=False)
    tau0: float
    burn_in_tokens: int

    def targets(self, spike_def: SpikeDef, rate: float) -> RateTargets:
        """Return the target rates of one label rate; raises DataError where a layer has too few events for it."""
        n_units = self.calibration.mu.shape[1]
        targets = RateTargets(self.tau0, n_units, {spike_def: self.base[spike_def]}, (rate,))
        targets.check_feasible(windows=len(self.tokens), tokens=self.tokens.shape[1] - self.burn_in_tokens)
        return targets

    def __repr__(self) -> str:
        n_layers, n_units = self.calibration.mu.shape
        rates = ", ".join(f"{kind} {base.mean():.3g}" for kind, base in self.base.items())
        n, length = self.tokens.shape
        return f"Reference: {n} windows of {length} tokens, {n_layers} x {n_units} units; rates above {self.tau0:g}: {rates}"


def calibrate(
    model: LanguageModel,
    text: Text,
    *,
    seq_len: int | None = None,
    burn_in_tokens: int = 0,
    tau0: float = _CONST.TAU0_BASELINE,
    batch_tokens: int = _CONST.BATCH_TOKENS,
) -> Reference:
    """Measure mean, spread and base rates of every MLP unit on a text at gain 1, in two forward passes per window.

    text, seq_len: as ``extract``. One reference serves any number of extractions at any gain.

    Raises:
        DataError: the text is no text and no token ids, or has no whole window; token ids outside the model's vocabulary.
        ParamsError: windows longer than the model's context; a seq_len below 2, or one beside token ids.
    """
    windows = TextWindows.of(model, text, seq_len=seq_len, batch_tokens=batch_tokens, burn_in_tokens=burn_in_tokens)
    return windows.as_reference(None, tuple(SpikeDef), tau0)


def extract(
    model: LanguageModel,
    text: Text,
    *,
    target_rate: float | None = None,
    tau: npt.ArrayLike | None = None,
    reference: Reference | Calibration | None = None,
    gain: float = _CONST.GAIN_BASELINE,
    intervention: str = Intervention.MLP_GLOBAL,
    spike_def: str = SpikeDef.SPIKE_ONE_SIDED_POS,
    seq_len: int | None = None,
    burn_in_tokens: int = 0,
    batch_tokens: int = _CONST.BATCH_TOKENS,
) -> Extraction:
    """Extract the events of a text under a gain, at a matched rate or above given thresholds.

    text: one text, several, or token ids [N, T]. Texts are joined, each opened as in training, and cut into windows of
    ``seq_len`` tokens (SEQ_LEN_TOKENS, or less where the text or the model's context is shorter); the rest is left out.
    Token ids are windows already. reference: the result of ``calibrate``, on whose windows tau is then matched under this
    gain and intervention; or only mu and sigma; by default the text itself. A text that is part of the reference is not
    held out. target_rate: the mean over layers of the rates that each layer's exact tau gives; tau: one number, or [L].

    Raises:
        DataError: the text is no text and no token ids, or has no whole window; token ids outside the vocabulary; a layer
            has too few events to match the rate.
        ParamsError: not exactly one of target_rate and tau; an unknown identifier; windows longer than the context; a
            seq_len below 2, or one beside token ids.
        NonFiniteError: activations are not finite under this gain.
    """
    request = Request.of(
        target_rate=target_rate,
        tau=tau,
        spike_def=spike_def,
        n_layers=model.n_layers,
        intervention=intervention,
        gain=gain,
    )
    here = TextWindows.of(model, text, seq_len=seq_len, batch_tokens=batch_tokens, burn_in_tokens=burn_in_tokens)
    known = here.known_for(request, reference)
    layers, counts = here.measured(known, request)
    return extraction(
        counts,
        layers,
        request,
        known.calibration,
        n_units=model.n_units,
        from_reference=known is reference,
        tokens=here.tokens[:, burn_in_tokens:],
        decode=lambda token: str(model.tokenizer.decode([token])),
    )


@dataclass(frozen=True, eq=False)
class TextWindows:
    """Windows [N, T] of a text, with the model and the settings of their forward passes."""

    model: LanguageModel
    tokens: Tokens
    batch_tokens: int
    burn_in_tokens: int

    def __post_init__(self) -> None:
        whole(self.batch_tokens, "batch_tokens")

    @classmethod
    def of(
        cls, model: LanguageModel, text: Text, *, seq_len: int | None, batch_tokens: int, burn_in_tokens: int
    ) -> TextWindows:
        """Return the windows of a text; raises as ``extract``."""
        return cls(model, _windows(model, text, seq_len, burn_in_tokens), batch_tokens, burn_in_tokens)

    def as_reference(
        self, calibration: Calibration | None, spike_defs: Sequence[SpikeDef], tau0: float = _CONST.TAU0_BASELINE
    ) -> Reference:
        """Return the windows as a reference, with base rates of some spike definitions; without a calibration it is measured."""
        from critnb.events.passes import base_rates, calibrate

        passes = self.passes(self.burn_in_tokens)
        known = calibrate(passes, self.tokens) if calibration is None else calibration
        base = base_rates(passes, self.tokens, known, spike_defs, tau0) if spike_defs else {}
        return Reference(known, base, self.tokens, tau0, self.burn_in_tokens)

    def known_for(self, request: Request, reference: Reference | Calibration | None) -> Reference:
        """Return the reference that a request is measured against: the one given, or these windows."""
        # base rates are needed only where a rate is to be matched
        matched = () if request.target_rate is None else (request.spike_def,)
        known = reference if isinstance(reference, Reference) else self.as_reference(reference, matched)
        shape = self.model.n_layers, self.model.n_units
        if known.calibration.mu.shape != shape:
            raise DataError(
                f"reference: mu is {known.calibration.mu.shape}, the model has {shape[0]} x {shape[1]} units"
            )
        return known

    def measured(self, known: Reference, request: Request) -> tuple[pd.DataFrame, npt.NDArray[np.uint16]]:
        """Return the table of layers and the events [N, L, T]; thresholds are matched on the reference's windows."""
        if request.target_rate is None:
            layers = pd.DataFrame({"layer": np.arange(self.model.n_layers), "tau": request.tau})
            return layers, self._events(known, request, layers)
        from critnb.events.passes import match_rates

        targets = known.targets(request.spike_def, request.target_rate)
        passes = self.passes(known.burn_in_tokens)
        thresholds, counts = match_rates(passes, known.tokens, known.calibration, targets, setting_of(request))
        layers = fitted_layers(thresholds.to_frame())
        return layers, counts[0, 0] if known.tokens is self.tokens else self._events(known, request, layers)

    def passes(self, burn_in_tokens: int) -> ForwardPasses:
        """Return the forward passes of the model, with so many leading tokens hidden."""
        from critnb.model.forward import ForwardPasses

        return ForwardPasses(self.model, batch_tokens=self.batch_tokens, burn_in=burn_in_tokens)

    def _events(self, known: Reference, request: Request, layers: pd.DataFrame) -> npt.NDArray[np.uint16]:
        from critnb.events.passes import extract

        tau, passes = layers["tau"].to_numpy(dtype=np.float64)[None, None], self.passes(self.burn_in_tokens)
        found = extract(passes, self.tokens, known.calibration, tau, (request.spike_def,), setting_of(request))
        events: npt.NDArray[np.uint16] = found[0, 0]
        return events


def setting_of(request: Request) -> Setting:
    """Return the setting that a request asks for."""
    from critnb.model.forward import Setting

    return Setting(request.intervention, request.gain)


def _windows(model: LanguageModel, text: Text, seq_len: int | None, burn_in_tokens: int) -> Tokens:
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
    """Return the given texts; None where they may be token ids."""
    given = list(text) if isinstance(text, Sequence) and not isinstance(text, str) else [text]
    if paths := [one for one in given if isinstance(one, PurePath)]:
        raise DataError(f"text: {str(paths[0])!r} is a path; give what stands there, such as path.read_text()")
    documents = [one for one in given if isinstance(one, str)]
    return documents if len(documents) == len(given) else None


def _token_ids(model: LanguageModel, given: object, seq_len: int | None) -> Tokens:
    remedy = "give a string, a list of strings, or whole token ids [N, T]: rows of one length, one row for one window"
    try:
        ids = numbers(given, "text", remedy=remedy)
    except MissingError:
        raise
    except DataError:
        ids = np.empty(0)
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or 0 in ids.shape:
        raise DataError(f"text: {type(given).__name__} is no text; {remedy}")
    if seq_len not in (None, ids.shape[1]):
        raise ParamsError(f"seq_len: token ids are windows already, of {ids.shape[1]} tokens; leave it out")
    vocabulary = int(model.causal.config.vocab_size)
    if ids.min() < 0 or ids.max() >= vocabulary:
        raise DataError(f"text: token ids lie in {ids.min()}..{ids.max()}; the model's lie in 0..{vocabulary - 1}")
    return ids.astype(np.int64)


def _cut(model: LanguageModel, documents: list[str], seq_len: int | None) -> Tokens:
    from critnb.model.windows import corpus_windows

    if seq_len is not None and seq_len < 2:
        raise ParamsError(f"seq_len: {seq_len} is too short; a window has at least 2 tokens")
    stream = corpus_windows(documents, model.tokenizer, 1)[:, 0]
    longest = min(len(stream), _CONST.SEQ_LEN_TOKENS, model.context_length or len(stream))
    length = max(2, longest) if seq_len is None else seq_len
    n_tokens = len(stream) // length * length
    if not n_tokens:
        raise DataError(f"text: {len(stream)} tokens make no window of {length}; give more text or a smaller seq_len")
    return stream[:n_tokens].reshape(-1, length)
