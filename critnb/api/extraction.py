"""Extractions: events with their thresholds and calibration; and the extraction from an array of activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.arguments import identifier, numbers
from critnb.api.arrays import EventCounts
from critnb.api.estimates import TableResult
from critnb.canon import CANON, Intervention, SpikeDef
from critnb.errors import DataError, ParamsError
from critnb.events import Calibration, RateTargets
from critnb.events.calibration import Moments
from critnb.events.rate_matching import Counts, Matching, per_site

_CONST = CANON.CONST
Floats = npt.NDArray[np.float64]
Activations = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Request:
    """Which events a caller asks for: those of a target rate, or those above given thresholds tau [L]."""

    spike_def: SpikeDef
    target_rate: float | None
    tau: Floats | None
    intervention: Intervention = Intervention.MLP_GLOBAL
    gain: float = _CONST.GAIN_BASELINE

    @classmethod
    def of(
        cls,
        *,
        target_rate: float | None,
        tau: npt.ArrayLike | None,
        spike_def: SpikeDef | str,
        n_layers: int,
        intervention: str = Intervention.MLP_GLOBAL,
        gain: float = _CONST.GAIN_BASELINE,
    ) -> Request:
        """Return the request, checked; raises ParamsError."""
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
        return cls(kind, target_rate, thresholds, identifier(Intervention, intervention, "intervention"), float(gain))


@dataclass(frozen=True, eq=False, repr=False)
class Extraction(TableResult):
    """Events [N, L, T] with the request, thresholds and calibration that they come from; every estimator takes it.

    layers: one row per layer: tau, and the rate of v > tau on these windows; where a rate was matched also the target, the
    events wanted and found on the windows that tau was fitted to, and ties. from_reference: tau was fitted to the windows
    of a given reference, not to these. tokens: ids [N, T], None for an array.
    """

    events: EventCounts
    layers: pd.DataFrame
    request: Request
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
        """Thresholds [L], in the form that another extraction takes."""
        return self.layers["tau"].to_numpy(dtype=np.float64)

    def words(self, place: int) -> list[str]:
        """Return the text of each token of the sequence at an index of the axis N; raises DataError where there is none."""
        if self.tokens is None or self.decode is None:
            raise DataError("extraction: these events come from an array, which has no text")
        return [self.decode(int(token)) for token in self.tokens[place]]

    def headline(self) -> str:
        """Return the events and the setting in one line."""
        request = self.request
        source = "the reference" if self.from_reference else "these windows"
        how = "given tau" if request.target_rate is None else f"rate {request.target_rate:g}, tau from {source}"
        setting = f"{request.spike_def}, {how}, {request.intervention} gain {request.gain:g}"
        return f"{self.events!r}; {setting}"

    def to_frame(self) -> pd.DataFrame:
        """Return one row per layer, as ``layers``."""
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
    """Turn an array of activations into events: z = (u - mu)/(sigma + EPS), v = z or |z|, an event where v > tau.

    u: finite numbers [N, T, L, F] (sequences, tokens, layers, units), or [T, L, F]. mu and sigma of each unit are those of
    ``calibration`` where it is given, else those of ``reference``, an array of the same layers and units, else those of
    u. With ``target_rate`` each layer's tau is exact on ``reference``, or on u: the mean rate over layers is the target and
    layers keep the proportions of their base rates above tau0. ``tau`` (a number or [L]) sets it directly. No torch.

    Raises:
        DataError: other axes; values that are missing (masked, NaN, None) or infinite; too few events in a layer to match a
            rate, or more than 65535 of them on a site.
        ParamsError: not exactly one of target_rate and tau, or an unknown spike definition.
    """
    here = _activations(u, "u")
    fitted = here if reference is None else _activations(reference, "reference")
    request = Request.of(target_rate=target_rate, tau=tau, spike_def=spike_def, n_layers=here.shape[2])
    moments = _calibrated(fitted) if calibration is None else calibration
    if here.shape[2:] != fitted.shape[2:] or moments.mu.shape != here.shape[2:]:
        raise DataError(
            f"u: layers and units are {here.shape[2:]}, those of the reference {fitted.shape[2:]}, of mu {moments.mu.shape}"
        )
    if request.target_rate is None:
        layers = pd.DataFrame({"layer": np.arange(here.shape[2]), "tau": request.tau})
        counts = _thresholded(here, moments, request, layers["tau"].to_numpy())
    else:
        layers, counts = _matched(fitted, moments, request, tau0)
        if reference is not None:
            counts = _thresholded(here, moments, request, layers["tau"].to_numpy())
    return extraction(counts, layers, request, moments, n_units=here.shape[3], from_reference=reference is not None)


def extraction(
    counts: npt.NDArray[np.uint16],
    layers: pd.DataFrame,
    request: Request,
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
    return Extraction(events, layers.assign(rate=rate), request, calibration, from_reference, tokens, decode)


def fitted_layers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table of thresholds that differ between layers."""
    columns = ["layer", "tau", "target_layer_rate", "target_events", "events", "ties"]
    return frame[columns].rename(columns={"events": "fitted_events"}).reset_index(drop=True)


def _activations(u: npt.ArrayLike, name: str) -> Activations:
    """Return u as floats [N, T, L, F]; raises DataError for other axes, empty ones, missing or infinite values."""
    values = numbers(u, name, remedy="leave out the sequences that hold them")
    if values.dtype.kind == "b":
        raise DataError(f"{name}: values are {values.dtype.name}; give numbers")
    if values.dtype.kind != "f" or values.dtype.itemsize > np.dtype(np.float64).itemsize:
        values = values.astype(np.float64)
    if values.ndim == 3:
        values = values[None]
    if values.ndim != 4 or 0 in values.shape or values.shape[1] < 2:
        raise DataError(f"{name}: shape {values.shape}; give [N, T, L, F], or [T, L, F], of at least 2 tokens")
    if not np.isfinite(values).all():
        raise DataError(f"{name}: there are infinite values")
    return values


def _calibrated(u: Activations) -> Calibration:
    """Return mean and standard deviation of each unit, accumulated as the streamed passes do."""
    _, tokens, n_layers, n_units = u.shape
    moments = Moments(n_layers, n_units)
    for window in u:
        for layer in range(n_layers):
            wide = window[:, layer].astype(np.float64)
            mean = wide.mean(axis=0)
            moments.merge(layer, tokens, mean=mean, squares=((wide - mean) ** 2).sum(axis=0))
    return moments.finish()


def _matched(u: Activations, calibration: Calibration, request: Request, tau0: float) -> tuple[pd.DataFrame, Counts]:
    """Return the exact thresholds of a target rate, one row per layer, and the events [N, L, T] of the same u."""
    assert request.target_rate is not None
    n, tokens, n_layers, n_units = u.shape
    kind = request.spike_def
    base = np.array([np.mean(_scores(u, layer, calibration, kind) > tau0) for layer in range(n_layers)])
    targets = RateTargets(tau0, n_units, {kind: base}, (request.target_rate,))
    targets.check_feasible(windows=n, tokens=tokens)
    matching = Matching((kind,), targets.wanted(windows=n, tokens=tokens), windows=n, tokens=tokens)
    sites = np.repeat(np.arange(n * tokens), n_units)
    for layer in range(n_layers):
        matching.largest[layer][kind].add(_scores(u, layer, calibration, kind).ravel(), sites)
    found = matching.finish()
    thresholds = found.thresholds(targets, request.intervention, request.gain)
    return fitted_layers(thresholds.to_frame()), found.counts[0, 0]


def _thresholded(u: Activations, calibration: Calibration, request: Request, tau: Floats) -> Counts:
    """Return the events [N, L, T] of u under known thresholds [L]."""
    n, tokens, n_layers, _ = u.shape
    counts = np.empty((n, n_layers, tokens), dtype=np.uint16)
    for layer in range(n_layers):
        above = np.nonzero(_scores(u, layer, calibration, request.spike_def) > tau[layer])[0]
        counts[:, layer] = per_site(above, n, tokens)
    return counts


def _scores(u: Activations, layer: int, calibration: Calibration, spike_def: SpikeDef) -> Floats:
    """Return v of one layer as float64 [N * T, F]."""
    values = u[:, :, layer].reshape(-1, u.shape[3]).astype(np.float64)
    z = calibration.z(layer, np.arange(u.shape[3]), values)
    return np.abs(z) if spike_def is SpikeDef.SPIKE_TWO_SIDED_ABS else z
