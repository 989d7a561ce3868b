"""What S01 stores of its two passes, what follows from that, and its gates. No model, no torch."""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON
from critnb.errors import IntegrityError
from critnb.events import Calibration, RateTargets
from critnb.gates import Gate
from critnb.pipeline.session import StageSession
from critnb.runs import Run
from critnb.stages.shared import token_shares

_OUT = CANON.OUTPUT


def save_calibration(stage: StageSession, calibration: Calibration, targets: RateTargets) -> None:
    """Write moments and targets, and put into the record how many units lie below EPS."""
    stage.save_npz(_OUT.CALIBRATION_STATS_NPZ_BASENAME, calibration.arrays())
    stage.save_json(_OUT.RATE_TARGETS_JSON_BASENAME, targets.as_dict())
    stage.summary(clamped_units=int(calibration.clamped.sum()))


def load_calibration(run: Run) -> tuple[Calibration, RateTargets]:
    """Return what S01 wrote."""
    arrays = run.npz(run.result(_OUT.CALIBRATION_STATS_NPZ_BASENAME))
    content = run.json(run.result(_OUT.RATE_TARGETS_JSON_BASENAME))
    return Calibration.from_arrays(arrays), RateTargets.from_dict(content)


def retabulate(stage: StageSession, run: Run) -> None:
    """Write again what follows from mu, sigma and the base rates: tokens, units below EPS, targets.

    Raises IntegrityError for moments that no pass over a model of the record's L and F gives.
    """
    calibration, stored = load_calibration(run)
    model, params = run.record.model or {}, stage.params
    n_layers, n_units = int(model["n_layers"]), int(model["d_ff"])
    if calibration.mu.shape != (n_layers, n_units):
        raise IntegrityError(
            f"{_OUT.CALIBRATION_STATS_NPZ_BASENAME}: mu and sigma are {list(calibration.mu.shape)}, the model has "
            f"{[n_layers, n_units]} layers and units"
        )
    tokens = params.windows.n_calibration * (params.windows.seq_len - params.windows.burn_in_tokens)
    n_values = tokens * n_units
    # a base rate is a number of values out of all
    base = {name: np.rint(stored.base[name] * n_values) / n_values for name in params.events.spike_defs}
    targets = RateTargets(params.events.tau0, n_units, base, tuple(params.events.target_rates))
    save_calibration(stage, Calibration(calibration.mu, calibration.sigma, tokens), targets)


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S01: enough expected events, units that vary at all, and a text that the tokenizer knows."""
    calibration, targets = load_calibration(stage.own)
    rarest = targets.rarest(calibration.n_samples * targets.n_units)
    clamped = int(calibration.clamped.sum())
    return [
        Gate.judge(
            "expected events",
            passed=rarest.enough,
            value=f"{rarest.events:.0f}",
            condition=f"at least {CANON.CONST.RATE_MATCH_MIN_EVENTS} in every layer, spike definition and rate",
            reason=f"fewest: {rarest.spike_def} at {rarest.rate:g}, {calibration.n_samples} tokens",
        ),
        Gate.judge(
            "units that vary",
            passed=clamped < calibration.clamped.size,
            value=f"{calibration.clamped.size - clamped} of {calibration.clamped.size}",
            condition="sigma of a unit is at least EPS",
            reason=f"{clamped} units are below and counted in the record" if clamped else "",
        ),
        *token_shares.gates(token_shares.load(stage.own)),
    ]
