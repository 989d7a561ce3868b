"""S03: rasters of the held-out windows A_raster under every setting, with thresholds fitted elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from critnb.canon import Intervention, SliceRole, Stage
from critnb.errors import ParamsError
from critnb.events.shards import Extracted, side_by_side
from critnb.lattice import Condition, Raster
from critnb.lattice.thresholds import tau_of
from critnb.model.forward import Setting
from critnb.model.taps import scaled_layers
from critnb.pipeline.session import StageSession
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s02_gain_grid.work import match_settings
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.s03_rasters.tables import fitted_before, tabulate
from critnb.stages.shared.conditions import conditions_of, passes_under, raster_of


def measure(stage: StageSession) -> tuple[Raster, pd.DataFrame, pd.DataFrame]:
    """Extract every setting's raster on A_raster; writes and returns raster, metrics and thresholds with held-out rates.

    MLP_GLOBAL takes every gain of the grid with the thresholds of S02; every other intervention takes the chosen
    gains, with thresholds matched anew on A_cal. Raises ParamsError for one that scales no layer of the model.
    """
    gstar = load_gstar(stage.upstream(Stage.S02B))
    params = stage.params
    settings = [Setting(Intervention.MLP_GLOBAL, gain) for gain in params.gain.grid]
    others = [
        Setting(intervention, gain)
        for intervention in params.gain.interventions
        if intervention is not Intervention.MLP_GLOBAL
        for gain in sorted(set(gstar.values()))
    ]
    _check_bands(params.gain.interventions, stage.model.n_layers)
    passes = stage.forward_passes()
    thresholds = fitted_before(stage)
    if others:
        matched = match_settings(stage, others, stage.slice(SliceRole.A_cal), passes)
        thresholds = pd.concat([thresholds, matched.thresholds], ignore_index=True)
    raster = _extract(stage, settings + others, thresholds, gstar)
    metrics, thresholds = tabulate(stage, raster, thresholds, gstar, n_units=stage.model.n_units)
    return raster, metrics, thresholds


def _check_bands(interventions: Sequence[Intervention], n_layers: int) -> None:
    for intervention in interventions:
        if not scaled_layers(intervention, n_layers):
            raise ParamsError(
                f"gain.interventions: {intervention} scales no layer of a model of {n_layers} layers; leave it out"
            )


def _extract(
    stage: StageSession, settings: list[Setting], thresholds: pd.DataFrame, gstar: Mapping[tuple[str, float], float]
) -> Raster:
    windows = stage.slice(SliceRole.A_raster)
    calibration, targets = upstream_calibration(stage)
    passes = stage.forward_passes()
    spike_defs = tuple(targets.base)

    tau = {each: tau_of(thresholds, each.intervention, each.gain, spike_defs, targets.rates) for each in settings}
    take = Extracted(windows.tokens, calibration, tau, spike_defs)
    found = passes_under(stage, "extract", settings, len(windows.tokens), take, passes=passes, join=side_by_side)
    conditions = conditions_of(settings, model_role=stage.role, spike_defs=spike_defs, rates=targets.rates)
    raster = raster_of([each.counts for each in found], conditions, windows.window_id, windows.tokens)
    return raster.take([i for i, c in enumerate(conditions) if _wanted(c, gstar)])


def _wanted(condition: Condition, gstar: Mapping[tuple[str, float], float]) -> bool:
    key = (str(condition.spike_def_id), condition.target_rate)
    return condition.intervention_id is Intervention.MLP_GLOBAL or condition.gain == gstar[key]


def held_out_table(thresholds: pd.DataFrame) -> pd.DataFrame:
    """Return how far held-out rates lie from their targets: one row per spike definition and rate, over gains and layers."""
    ratio = thresholds["achieved_rate_raster"] / thresholds["target_layer_rate"]
    grouped = thresholds.assign(ratio=ratio).groupby(["spike_def_id", "target_rate"])["ratio"]
    summary = grouped.agg(["min", "median", "max"]).reset_index()
    return summary.rename(columns={name: f"{name} of held-out / target rate" for name in ("min", "median", "max")})
