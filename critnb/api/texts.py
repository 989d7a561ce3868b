"""Events of a loaded language model on any text: what they are measured against, and the text itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from critnb.api.extraction import Extraction, Floats, Wanted, asked, extraction
from critnb.canon import CANON, Intervention, SpikeDef
from critnb.errors import DataError
from critnb.events import Calibration, RateTargets

if TYPE_CHECKING:
    from critnb.model.language_model import LanguageModel

_CONST = CANON.CONST
Tokens = npt.NDArray[np.int64]
Text: TypeAlias = str | Sequence[str] | Tokens | Sequence[Sequence[int]]


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
    """Measure mean, spread and base rates of every MLP unit on a text at gain 1: two forward passes a window.

    text, seq_len: as ``extract``. The reference serves any number of extractions, whatever their gain.

    Raises:
        DataError: the text is none of the three, or has no whole window; token ids that are none of the model's.
        ParamsError: windows longer than the model's context; a seq_len below 2, or one beside token ids.
    """
    from critnb.api.text_passes import Windows, windows_of

    tokens = windows_of(model, text, seq_len, burn_in_tokens)
    windows = Windows(model, tokens, batch_tokens=batch_tokens, burn_in_tokens=burn_in_tokens)
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

    text: one text, several, or token ids [N, T]; texts follow each other, each opened as in training, and are cut into
    windows of ``seq_len`` tokens (SEQ_LEN_TOKENS, or less where the text or the model's context is shorter); a rest is
    left out. Token ids are windows already. reference: what ``calibrate`` returns, and then tau is matched on its windows
    under this gain and intervention; or only mu and sigma; without one the text is its own. Events of a text that the
    reference holds, too, are not held out. target_rate: the rate of events that
    each layer's exact tau gives, in the mean over layers; tau: one number, or [L].

    Raises:
        DataError: the text is none of the three, or has no whole window; token ids that are none of the model's; a layer
            has too few events to match the rate.
        ParamsError: not exactly one of target_rate and tau; an unknown identifier; windows longer than the context; a
            seq_len below 2, or one beside token ids.
        NonFiniteError: activations are not finite under this gain.
    """
    from critnb.api.text_passes import Windows, windows_of

    wanted = asked(
        target_rate=target_rate,
        tau=tau,
        spike_def=spike_def,
        n_layers=model.n_layers,
        intervention=intervention,
        gain=gain,
    )
    tokens = windows_of(model, text, seq_len, burn_in_tokens)
    here = Windows(model, tokens, batch_tokens=batch_tokens, burn_in_tokens=burn_in_tokens)
    known = reference if isinstance(reference, Reference) else here.as_reference(reference, _matched(wanted))
    if known.calibration.mu.shape != (model.n_layers, model.n_units):
        raise DataError(
            f"reference: mu is {known.calibration.mu.shape}, the model has {model.n_layers} x {model.n_units} units"
        )
    layers, counts = here.measured(known, wanted)
    return extraction(
        counts,
        layers,
        wanted,
        known.calibration,
        n_units=model.n_units,
        from_reference=known is reference,
        tokens=tokens[:, burn_in_tokens:],
        decode=lambda token: str(model.tokenizer.decode([token])),
    )


def _matched(wanted: Wanted) -> tuple[SpikeDef, ...]:
    """Base rates are only needed where a rate is to be matched."""
    return () if wanted.target_rate is None else (wanted.spike_def,)
