"""Events of a loaded language model on any text: what they are measured against, and the text itself. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.extraction import Extraction, Floats, Wanted, asked, extraction, fitted_layers, require_enough
from critnb.canon import CANON, Intervention, SpikeDef
from critnb.errors import DataError, ParamsError
from critnb.events import Calibration, RateTargets, base_rates, match_rates
from critnb.events import calibrate as measure_moments
from critnb.events import extract as measure_events
from critnb.language.forward import ForwardPasses, Setting
from critnb.language.windows import corpus_windows

if TYPE_CHECKING:
    from critnb.language.model import LanguageModel

_CONST = CANON.CONST
Tokens = npt.NDArray[np.int64]
Text: TypeAlias = str | Sequence[str] | Tokens


@dataclass(frozen=True, eq=False, repr=False)
class Reference:
    """What events are measured against: mu and sigma of every unit at gain 1, base rates [L], and their windows [N, T]."""

    calibration: Calibration
    base: Mapping[SpikeDef, Floats]
    tokens: Tokens = field(repr=False)
    tau0: float
    burn_in_tokens: int

    def targets(self, spike_def: SpikeDef, rate: float) -> RateTargets:
        """Return the target rates of one label rate; raises DataError where a layer has too few events for it."""
        n_units = self.calibration.mu.shape[1]
        targets = RateTargets(self.tau0, n_units, {spike_def: self.base[spike_def]}, (rate,))
        require_enough(targets, windows=len(self.tokens), tokens=self.tokens.shape[1] - self.burn_in_tokens)
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
    """Measure mean, spread and base rates of every MLP unit on a text at gain 1: two forward passes a window.

    text, seq_len: as ``extract``. The reference serves any number of extractions, whatever their gain.

    Raises:
        DataError: the text has no whole window.
        ParamsError: windows longer than the model's context.
    """
    tokens = windows_of(model, text, seq_len, burn_in_tokens)
    passes = ForwardPasses(model, batch_tokens=batch_tokens, burn_in=burn_in_tokens)
    calibration = measure_moments(passes, tokens)
    return Reference(
        calibration, base_rates(passes, tokens, calibration, tuple(SpikeDef), tau0), tokens, tau0, burn_in_tokens
    )


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

    text: one text, several, or token ids [N, T]; texts follow each other, each opened as in training, and are cut into
    windows of ``seq_len`` tokens (SEQ_LEN_TOKENS, or less where the text or the model's context is shorter); a rest is
    left out. reference: what ``calibrate`` returns, and then tau is matched on its windows under this gain and
    intervention (held out); or only mu and sigma; without one the text is its own. target_rate: the rate of events that
    each layer's exact tau gives, in the mean over layers; tau: one number, or [L].

    Raises:
        DataError: the text has no whole window, or a layer too few events to match the rate.
        ParamsError: not exactly one of target_rate and tau; an unknown identifier; windows longer than the context.
        NonFiniteError: activations are not finite under this gain.
    """
    wanted = asked(
        target_rate=target_rate,
        tau=tau,
        spike_def=spike_def,
        n_layers=model.n_layers,
        intervention=intervention,
        gain=gain,
    )
    tokens = windows_of(model, text, seq_len, burn_in_tokens)
    here = _Text(model, tokens, wanted, batch_tokens=batch_tokens, burn_in_tokens=burn_in_tokens)
    known = reference if isinstance(reference, Reference) else here.as_reference(reference)
    if known.calibration.mu.shape != (model.n_layers, model.n_units):
        raise DataError(
            f"reference: mu is {known.calibration.mu.shape}, the model has {model.n_layers} x {model.n_units} units"
        )
    layers, counts = here.measured(known)
    return extraction(
        counts,
        layers,
        wanted,
        known.calibration,
        n_units=model.n_units,
        held_out=known.tokens is not tokens,
        tokens=tokens[:, burn_in_tokens:],
        decode=lambda token: str(model.tokenizer.decode([token])),
    )


def windows_of(model: LanguageModel, text: Text, seq_len: int | None, burn_in_tokens: int) -> Tokens:
    """Return a text as windows of token ids [N, T]; raises as ``extract``."""
    if isinstance(text, np.ndarray) and text.dtype.kind in "iu" and text.ndim == 2:
        tokens: Tokens = text.astype(np.int64)
    else:
        stream = corpus_windows([text] if isinstance(text, str) else [str(one) for one in text], model.tokenizer, 1)[
            :, 0
        ]
        length = seq_len or min(len(stream), _CONST.SEQ_LEN_TOKENS, model.context_length or len(stream))
        whole = len(stream) // length * length if length else 0
        tokens = stream[:whole].reshape(-1, max(1, length))
        if not len(tokens):
            raise DataError(
                f"text: {len(stream)} tokens make no window of {length}; give more text or a smaller seq_len"
            )
    if model.context_length is not None and tokens.shape[1] > model.context_length:
        raise ParamsError(
            f"seq_len: {tokens.shape[1]} is longer than the model's context of {model.context_length} tokens"
        )
    if tokens.shape[1] - burn_in_tokens < 2 or burn_in_tokens < 0:
        raise ParamsError(
            f"burn_in_tokens: {burn_in_tokens} leaves fewer than 2 of the {tokens.shape[1]} tokens of a window"
        )
    return tokens


@dataclass(frozen=True, eq=False)
class _Text:
    """Windows [N, T] of a text, how they are run, and which events are wanted of them."""

    model: LanguageModel
    tokens: Tokens
    wanted: Wanted
    batch_tokens: int
    burn_in_tokens: int

    def as_reference(self, calibration: Calibration | None) -> Reference:
        """Return the text as its own reference; base rates are measured only where a rate is to be matched."""
        passes, tau0, kind = self._passes(self.burn_in_tokens), _CONST.TAU0_BASELINE, self.wanted.spike_def
        known = measure_moments(passes, self.tokens) if calibration is None else calibration
        matching = self.wanted.target_rate is not None
        base = base_rates(passes, self.tokens, known, (kind,), tau0) if matching else {}
        return Reference(known, base, self.tokens, tau0, self.burn_in_tokens)

    def measured(self, known: Reference) -> tuple[pd.DataFrame, npt.NDArray[np.uint16]]:
        """Return the table of layers and the events [N, L, T], thresholds matched on the reference's windows."""
        wanted = self.wanted
        if wanted.target_rate is None:
            layers = pd.DataFrame({"layer": np.arange(self.model.n_layers), "tau": wanted.tau})
            return layers, self._events(known, layers)
        targets = known.targets(wanted.spike_def, wanted.target_rate)
        passes = self._passes(known.burn_in_tokens)
        thresholds, counts = match_rates(passes, known.tokens, known.calibration, targets, self._setting)
        layers = fitted_layers(thresholds.to_frame())
        return layers, counts[0, 0] if known.tokens is self.tokens else self._events(known, layers)

    @property
    def _setting(self) -> Setting:
        return Setting(self.wanted.intervention, self.wanted.gain)

    def _passes(self, burn_in_tokens: int) -> ForwardPasses:
        return ForwardPasses(self.model, batch_tokens=self.batch_tokens, burn_in=burn_in_tokens)

    def _events(self, known: Reference, layers: pd.DataFrame) -> npt.NDArray[np.uint16]:
        tau = layers["tau"].to_numpy(dtype=np.float64)[None, None]
        passes, kinds = self._passes(self.burn_in_tokens), (self.wanted.spike_def,)
        found = measure_events(passes, self.tokens, known.calibration, tau, kinds, self._setting)
        events: npt.NDArray[np.uint16] = found[0, 0]
        return events
