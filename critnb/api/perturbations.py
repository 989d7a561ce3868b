"""A loaded language model perturbed: its events knocked out, and small changes of its stream followed along depth.

Torch is imported where the passes run, not with this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.arguments import enough, whole
from critnb.api.estimates import Estimate, Estimates
from critnb.api.extraction import Request
from critnb.api.texts import Reference, Text, TextWindows, setting_of
from critnb.canon import CANON, Intervention, SpikeDef
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.knock_outs import KnockOutSums, Ratio, summarise_knock_outs
from critnb.criticality.stability import summarise_stability
from critnb.events.calibration import Calibration

if TYPE_CHECKING:
    from critnb.model.language_model import LanguageModel

_CONST = CANON.CONST


@dataclass(frozen=True, eq=False, repr=False)
class KnockOutEstimates(Estimates):
    """What vanishes above a layer whose events are put to their mean, beyond what random controls take with them.

    sigma_depth: (lost - new events of the next layer, real minus as many random units at the same sites) / events put out;
    its p is one-sided, from random signs of windows. at_places: the same against the same units at random other tokens.
    offspring: sigma_depth over all layers above. causal_share: the part of the excess of b_depth over random order that
    goes with the events. lost_share, new_share: of the next layer's events. ``sums`` holds every count.
    """

    sigma_depth: Estimate
    at_places: Estimate
    offspring: Estimate
    offspring_at_places: Estimate
    causal_share: Estimate
    lost_share: Estimate
    new_share: Estimate
    events_out: int
    by_layer: tuple[Estimate, ...] = field(repr=False)
    sums: KnockOutSums = field(repr=False)
    request: Request = field(repr=False)

    def headline(self) -> str:
        """Return what was knocked out, and under which setting."""
        n_windows, n_layers = self.sums.shape
        request = self.request
        return (
            f"Knock-outs: {self.events_out} events of {n_layers} layers put to their mean, {n_windows} windows; "
            f"{request.spike_def}, {request.intervention} gain {request.gain:g}"
        )

    def layers(self) -> pd.DataFrame:
        """Return sigma_depth of each layer but the last: layer, sigma_depth, ci_low, ci_high, reason."""
        return _layers(self.by_layer, "sigma_depth")


@dataclass(frozen=True, eq=False, repr=False)
class StabilityEstimates(Estimates):
    """Growth of small random perturbations of the stream per layer, relative to it, in nats: negative where they shrink.

    exponent: the mean over all layers, the largest Lyapunov exponent along depth; beyond_first: without the first layer.
    log_growth [N, K, L] of N windows, K directions and L layers; step_deviation: how far two step sizes differ.
    """

    exponent: Estimate
    beyond_first: Estimate
    step_deviation: float
    by_layer: tuple[Estimate, ...] = field(repr=False)
    log_growth: npt.NDArray[np.float64] = field(repr=False)
    gain: float = _CONST.GAIN_BASELINE
    intervention: str = Intervention.MLP_GLOBAL

    def headline(self) -> str:
        """Return what was followed, and under which setting."""
        n_windows, n_directions, n_layers = self.log_growth.shape
        return (
            f"Stability along depth: {n_directions} directions in {n_windows} windows over {n_layers} layers; "
            f"{self.intervention} gain {self.gain:g}"
        )

    def layers(self) -> pd.DataFrame:
        """Return the growth of each layer: layer, log_growth, ci_low, ci_high, reason."""
        return _layers(self.by_layer, "log_growth")


def knock_out(
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
    bootstrap_reps: int = _CONST.BOOTSTRAP_REPS,
    seed: int = _CONST.NULL_SEED,
    batch_tokens: int = _CONST.BATCH_TOKENS,
) -> KnockOutEstimates:
    """Put the events of each layer to their mean, run the layers above again, and count what vanishes and appears.

    Which events these are: as ``extract``, whose arguments these are. Three times L - 1 partial passes, about 1.5 L
    forward passes a window: start with few windows. Intervals resample windows.

    Raises:
        DataError: as ``extract``; the model has one layer only.
        ParamsError: as ``extract``; fewer than two replicates.
        ModelError: blocks of the model hand each other more than the stream.
        NonFiniteError: activations are not finite under this gain.
    """
    enough(bootstrap_reps=bootstrap_reps)
    whole(seed, "seed", least=None)
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
    from critnb.events.knock_out import knock_out as run

    thresholds = here.measured(known, request)[0]["tau"].to_numpy(dtype=np.float64)
    ids = np.arange(len(here.tokens))
    key = f"{request.spike_def} {request.target_rate!r} {request.intervention} {request.gain!r}".encode()
    sums = run(
        here.passes(burn_in_tokens),
        here.tokens,
        known.calibration,
        thresholds[None, None],
        (request.spike_def,),
        setting_of(request),
        seed=seed,
        seq_id=ids,
        condition_keys=[[key]],
    )[0, 0]
    found = summarise_knock_outs(sums, multinomial_weights(len(ids), bootstrap_reps, seed), seed=seed, window_ids=ids)
    return KnockOutEstimates(
        _estimate(found.sigma_depth, p=found.p_value),
        _estimate(found.at_places),
        _estimate(found.offspring),
        _estimate(found.offspring_at_places),
        _estimate(found.causal_share),
        _estimate(found.lost_share),
        _estimate(found.new_share),
        events_out=found.events_out,
        by_layer=tuple(_estimate(each) for each in found.by_layer),
        sums=sums,
        request=request,
    )


def stability(
    model: LanguageModel,
    text: Text,
    *,
    gain: float = _CONST.GAIN_BASELINE,
    intervention: str = Intervention.MLP_GLOBAL,
    directions: int = _CONST.KNOCK_OUT_DIRECTIONS,
    seq_len: int | None = None,
    burn_in_tokens: int = 0,
    bootstrap_reps: int = _CONST.BOOTSTRAP_REPS,
    seed: int = _CONST.NULL_SEED,
    batch_tokens: int = _CONST.BATCH_TOKENS,
) -> StabilityEstimates:
    """Follow small random perturbations of the residual stream from block to block: do they grow relative to it or shrink?

    text, seq_len: as ``extract``. Each block runs 2 K + 3 times on every window, K = ``directions``; blocks in half precision
    as float32 copies, one at a time. Intervals resample windows.

    Raises:
        DataError: as ``extract``.
        ParamsError: as ``extract``; no direction, or fewer than two replicates.
        ModelError: blocks of the model hand each other more than the stream.
        NonFiniteError: activations are not finite under this gain.
    """
    enough(bootstrap_reps=bootstrap_reps)
    for name, number, least in (("directions", directions, 1), ("seed", seed, None)):
        whole(number, name, least=least)
    request = Request.of(
        target_rate=None,
        tau=0.0,
        spike_def=SpikeDef.SPIKE_ONE_SIDED_POS,
        n_layers=model.n_layers,
        intervention=intervention,
        gain=gain,
    )
    here = TextWindows.of(model, text, seq_len=seq_len, batch_tokens=batch_tokens, burn_in_tokens=burn_in_tokens)
    from critnb.model.stability import stability as run

    ids = np.arange(len(here.tokens))
    passes = here.passes(burn_in_tokens)
    growth = run(passes, here.tokens, setting_of(request), directions=directions, seed=seed, seq_id=ids)
    found = summarise_stability(growth.log_growth, growth.wide, multinomial_weights(len(ids), bootstrap_reps, seed))
    return StabilityEstimates(
        _estimate(found.exponent),
        _estimate(found.beyond_first),
        found.step_deviation,
        tuple(_estimate(each) for each in found.by_layer),
        growth.log_growth,
        request.gain,
        request.intervention,
    )


def _estimate(ratio: Ratio, p: float = float("nan")) -> Estimate:
    return Estimate(ratio.value, ratio.low, ratio.high, p=p, reason=ratio.reason)


def _layers(estimates: tuple[Estimate, ...], name: str) -> pd.DataFrame:
    columns = {
        "layer": range(len(estimates)),
        name: [each.value for each in estimates],
        "ci_low": [each.ci_low for each in estimates],
        "ci_high": [each.ci_high for each in estimates],
        "reason": [each.reason or None for each in estimates],
    }
    return pd.DataFrame(columns)
