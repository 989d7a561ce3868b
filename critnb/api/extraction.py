"""Events of a language model on any text, and of arrays of activations that came from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.arrays import EventCounts
from critnb.api.estimates import Shown
from critnb.api.numbers import numbers
from critnb.canon import CANON, Intervention, SpikeDef
from critnb.errors import DataError, ParamsError
from critnb.events import Calibration

_CONST = CANON.CONST
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """Which events are asked for: those of a target rate, or those above given thresholds tau [L]."""

    spike_def: SpikeDef
    target_rate: float | None
    tau: Floats | None
    intervention: Intervention = Intervention.MLP_GLOBAL
    gain: float = _CONST.GAIN_BASELINE


@dataclass(frozen=True, eq=False, repr=False)
class Extraction(Shown):
    """Events [N, L, T] of a text, with what they were measured against; every estimator takes it as it is.

    layers: one row a layer: tau, and the rate of v > tau on these windows; where rates were matched also the target, the
    events wanted and found on the windows that tau was fitted to, and ties. from_reference: those were windows of a
    reference that was given, not these. tokens: ids [N, T], None for arrays of one's own.
    """

    events: EventCounts
    layers: pd.DataFrame
    wanted: Wanted
    calibration: Calibration
    from_reference: bool
    tokens: npt.NDArray[np.int64] | None = None
    decode: Callable[[int], str] | None = field(default=None, repr=False)

    @property
    def counts(self) -> npt.NDArray[np.uint16]:
        """The events as a plain array uint16 [N, L, T]."""
        return self.events.counts

    @property
    def tau(self) -> Floats:
        """Thresholds [L], to be given to another extraction."""
        return self.layers["tau"].to_numpy(dtype=np.float64)

    def words(self, place: int) -> list[str]:
        """Return the text of each token of the sequence at a place of the axis N; raises DataError where there is none."""
        if self.tokens is None or self.decode is None:
            raise DataError("extraction: these events come from an array, which has no text")
        return [self.decode(int(token)) for token in self.tokens[place]]

    def headline(self) -> str:
        """Return what was extracted and under which setting."""
        wanted = self.wanted
        source = "the reference" if self.from_reference else "these windows"
        how = "given tau" if wanted.target_rate is None else f"rate {wanted.target_rate:g}, tau from {source}"
        setting = f"{wanted.spike_def}, {how}, {wanted.intervention} gain {wanted.gain:g}"
        return f"{self.events!r}; {setting}"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a layer, as ``layers``."""
        return self.layers


def extract_activations(
    u: npt.ArrayLike,
    *,
    target_rate: float | None = None,
    tau: npt.ArrayLike | None = None,
    reference: npt.ArrayLike | None = None,
    calibration: Calibration | None = None,
    spike_def: str = SpikeDef.SPIKE_ONE_SIDED_POS,
    tau0: float = _CONST.TAU0_BASELINE,
) -> Extraction:
    """Turn activations of one's own into events: z = (u - mu)/(sigma + EPS), v = z or |z|, an event where v > tau.

    u: finite numbers [N, T, L, F] (sequences, tokens, layers, units), or [T, L, F]. mu and sigma of each unit are those of
    ``calibration`` where it is given, else those of ``reference``, an array of the same layers and units, else those of
    u. With ``target_rate`` each layer's tau is exact on ``reference``, or on u: the mean rate over layers is the target and
    layers keep the proportions of their base rates above tau0. With ``tau`` (a number or [L]) it is that. No torch.

    Raises:
        DataError: other axes; values that are missing (masked, NaN, None) or infinite; too few events in a layer to match a
            rate, or more than 65535 of them on a site.
        ParamsError: not exactly one of target_rate and tau, or an unknown spike definition.
    """
    from critnb.api.own_activations import as_activations, calibrated, matched, thresholded

    here = as_activations(u, "u")
    fitted = here if reference is None else as_activations(reference, "reference")
    wanted = asked(target_rate=target_rate, tau=tau, spike_def=spike_def, n_layers=here.shape[2])
    moments = calibrated(fitted) if calibration is None else calibration
    if here.shape[2:] != fitted.shape[2:] or moments.mu.shape != here.shape[2:]:
        raise DataError(
            f"u: layers and units are {here.shape[2:]}, those of the reference {fitted.shape[2:]}, of mu {moments.mu.shape}"
        )
    if wanted.target_rate is None:
        layers = pd.DataFrame({"layer": np.arange(here.shape[2]), "tau": wanted.tau})
        counts = thresholded(here, moments, wanted, layers["tau"].to_numpy())
    else:
        layers, counts = matched(fitted, moments, wanted, tau0)
        if reference is not None:
            counts = thresholded(here, moments, wanted, layers["tau"].to_numpy())
    return extraction(counts, layers, wanted, moments, n_units=here.shape[3], from_reference=reference is not None)


def asked(
    *,
    target_rate: float | None,
    tau: npt.ArrayLike | None,
    spike_def: SpikeDef | str,
    n_layers: int,
    intervention: str = Intervention.MLP_GLOBAL,
    gain: float = _CONST.GAIN_BASELINE,
) -> Wanted:
    """Return what was asked for, checked; raises ParamsError."""
    from critnb.api.words import identifier

    if (target_rate is None) == (tau is None):
        raise ParamsError("give target_rate or tau, one of the two")
    if target_rate is not None and not 0 < target_rate < 1:
        raise ParamsError(f"target_rate: {target_rate:g} is no share of events in 0..1")
    thresholds = None
    if tau is not None:
        scalar = getattr(tau, "shape", () if not isinstance(tau, list | tuple) else None) == ()
        given = numbers([tau] if scalar else tau, "tau", remedy="give a number for each layer").astype(np.float64)
        if given.shape != ((1,) if scalar else (n_layers,)):
            raise ParamsError(f"tau: give one number, or one for each of the {n_layers} layers")
        thresholds = np.broadcast_to(given, (n_layers,)).copy()
    if not (np.isfinite(gain) and gain >= 0):
        raise ParamsError(f"gain: {gain:g} is not a finite number from 0 on")
    kind = identifier(SpikeDef, spike_def, "spike_def")
    return Wanted(kind, target_rate, thresholds, identifier(Intervention, intervention, "intervention"), float(gain))


def extraction(
    counts: npt.NDArray[np.uint16],
    layers: pd.DataFrame,
    wanted: Wanted,
    calibration: Calibration,
    *,
    n_units: int,
    from_reference: bool,
    tokens: npt.NDArray[np.int64] | None = None,
    decode: Callable[[int], str] | None = None,
) -> Extraction:
    """Return counts [N, L, T] as an extraction, with the rate of each layer on these windows beside its threshold."""
    n, _, length = counts.shape
    rate = counts.sum(axis=(0, 2), dtype=np.int64) / (n * length * n_units)
    events = EventCounts(counts, n_units, np.arange(n, dtype=np.int32))
    return Extraction(events, layers.assign(rate=rate), wanted, calibration, from_reference, tokens, decode)


def fitted_layers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table of thresholds that one setting, spike definition and rate leave to say."""
    columns = ["layer", "tau", "target_layer_rate", "target_events", "events", "ties"]
    return frame[columns].rename(columns={"events": "fitted_events"}).reset_index(drop=True)
