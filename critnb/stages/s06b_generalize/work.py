"""S06B: g1 and g* on dataset B, with thresholds and g* from A: rasters, nulls and likelihoods of the same windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, DatasetRole, Intervention, SliceRole, Stage
from critnb.criticality.carried import Gstar
from critnb.events.shards import Extracted, ExtractedAndScored, side_by_side
from critnb.lattice import Condition, Raster
from critnb.lattice.thresholds import tau_of
from critnb.model.forward import Setting
from critnb.model.likelihood import predicted_tokens
from critnb.model.windows import Slice
from critnb.pipeline.artifacts import save_raster
from critnb.pipeline.session import StageSession
from critnb.report.provenance import Provenance
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.s06b_generalize.tables import carried_outputs, carried_thresholds, save_vocabulary, tabulate
from critnb.stages.shared.conditions import conditions_of, passes_under, raster_of
from critnb.stages.shared.null_replicates import draw_replicates


@dataclass(frozen=True, eq=False)
class Generalization:
    """What the notebook shows: T02, the thresholds with the rates they have on B, the raster, and likelihoods by window."""

    t02: pd.DataFrame
    thresholds: pd.DataFrame
    likelihoods: pd.DataFrame
    raster: Raster
    provenance: Provenance


def measure(stage: StageSession) -> Generalization:
    """Carry g1 and g* over to B_eval and write rasters, thresholds, nulls, likelihoods, metrics and table T02.

    What the forward passes of an earlier run gave is adopted where only what draws figures differs.
    """
    gstar = load_gstar(stage.upstream(Stage.S02B))
    s02 = stage.upstream(Stage.S02)
    fitted = s02.parquet(s02.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    windows = stage.slice(SliceRole.B_eval)
    raster, nll = _carry(stage, windows, fitted, gstar) if stage.earlier is None else carried_outputs(stage.earlier)
    thresholds = carried_thresholds(stage, raster, n_units=stage.model.n_units)
    likelihoods = _likelihood_frame(stage, windows, nll)
    save_raster(stage, raster)
    stage.save_parquet(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME, thresholds)
    stage.save_parquet(CANON.OUTPUT.WINDOW_LIKELIHOODS_PARQUET_BASENAME, likelihoods)
    save_vocabulary(stage, stage.model.vocabulary)
    provenance = Provenance.of(stage.run, stage.run.record.model)
    samples = draw_replicates(stage, raster, [stage.params.nulls.replicates] * len(raster.conditions))
    t02 = tabulate(stage, raster, samples, nll, gstar=gstar, thresholds=thresholds, provenance=provenance)
    return Generalization(t02, thresholds, likelihoods, raster, provenance)


def _carry(
    stage: StageSession, windows: Slice, thresholds: pd.DataFrame, gstar: Gstar
) -> tuple[Raster, dict[float, NDArray[np.float64]]]:
    """Return the raster of every condition at g1 and g*, and each window's NLL [N] by gain: one pass per gain and window."""
    calibration, targets = upstream_calibration(stage)
    spike_defs = tuple(targets.base)
    settings = [Setting(Intervention.MLP_GLOBAL, gain) for gain in gains_of(gstar.values())]
    tau = {each: tau_of(thresholds, each.intervention, each.gain, spike_defs, targets.rates) for each in settings}
    work = ExtractedAndScored(Extracted(windows.tokens, calibration, tau, spike_defs))
    found = passes_under(
        stage, "carry over", settings, len(windows.tokens), work, passes=stage.forward_passes(), join=side_by_side
    )
    nll = {setting.gain: each.others["nll_mean"] for setting, each in zip(settings, found, strict=True)}
    conditions = conditions_of(
        settings, model_role=stage.role, spike_defs=spike_defs, rates=targets.rates, dataset_role=DatasetRole.B
    )
    raster = raster_of([each.counts for each in found], conditions, windows.window_id, windows.tokens)
    return raster.take([i for i, condition in enumerate(conditions) if _wanted(condition, gstar)]), nll


def gains_of(chosen: Iterable[float]) -> list[float]:
    """Return the distinct gains that are run: the baseline and every chosen one, ascending."""
    return sorted({CANON.CONST.GAIN_BASELINE, *chosen})


def _wanted(condition: Condition, gstar: Gstar) -> bool:
    key = (str(condition.spike_def_id), condition.target_rate)
    return condition.gain in (CANON.CONST.GAIN_BASELINE, gstar[key])


def _likelihood_frame(stage: StageSession, windows: Slice, nll: Mapping[float, NDArray[np.float64]]) -> pd.DataFrame:
    """Return one row per gain and window: the window's id, how many tokens it predicts, their mean NLL in nats."""
    settings = stage.params.windows
    n_tokens = predicted_tokens(settings.seq_len, settings.burn_in_tokens)
    frames = [
        pd.DataFrame({"gain": gain, "seq_id": windows.window_id, "n_tokens": np.int32(n_tokens), "nll_mean": values})
        for gain, values in nll.items()
    ]
    return pd.concat(frames, ignore_index=True)
