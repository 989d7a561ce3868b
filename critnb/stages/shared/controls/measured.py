"""The counts of a lattice: from the pack's table where it has that lattice, else of rasters that are judged now."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from critnb.canon import CANON
from critnb.criticality.control_rates import LatticeShape, counts_of, rates, stored, stored_networks, tally
from critnb.criticality.synthetic import CONTROLS
from critnb.engine import Map
from critnb.pipeline.session import StageSession
from critnb.runs import Run
from critnb.stages.shared.controls.judged import ControlRaster, judge_control

_OUT, _CONST = CANON.OUTPUT, CANON.CONST


def measured(
    shape: LatticeShape, n: int, *, map_in_processes: Map, on_done: Callable[[int], object] | None = None
) -> pd.DataFrame:
    """Return the counts of n rasters of every control on a lattice."""
    shards = [ControlRaster(control_id, shape, number) for control_id in CONTROLS for number in range(n)]
    outcomes = iter(map_in_processes(judge_control, shards, on_done=on_done))
    judged = {control_id: [next(outcomes) for _ in range(n)] for control_id in CONTROLS}
    return tally(judged, shape, seed=_CONST.CONTROL_SEED)


def lattice_of(stage: StageSession) -> LatticeShape:
    """Return the lattice of the rasters that the params and the model of a stage ask for."""
    windows = stage.params.windows
    layers = int((stage.run.record.model or {})["n_layers"])
    return LatticeShape(layers, windows.seq_len - windows.burn_in_tokens, windows.n_raster)


def control_rates(stage: StageSession) -> pd.DataFrame:
    """Write and return the rates of the controls on the run's own lattice."""
    shape, n = lattice_of(stage), stage.params.analysis.control_rasters
    counts = stored(shape)
    if counts.empty and n:
        total = n * len(CONTROLS)
        with stage.step("controls"), stage.progress("controls", total, "raster") as advance:
            counts = measured(shape, n, map_in_processes=stage.engine.map_in_processes, on_done=advance)
    return _save(stage, rates(_with_networks(counts), shape))


def retabulate(stage: StageSession, run: Run) -> None:
    """Write the rates again: from the pack's table, or from the counts that the run has measured, which are believed."""
    shape = lattice_of(stage)
    counts = stored(shape)
    if counts.empty:
        counts = counts_of(run.parquet(run.result(_OUT.CONTROL_RATES_PARQUET_BASENAME)), shape)
    _save(stage, rates(_with_networks(counts), shape))


def _with_networks(counts: pd.DataFrame) -> pd.DataFrame:
    parts = [part for part in (counts, stored_networks()) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else counts


def _save(stage: StageSession, frame: pd.DataFrame) -> pd.DataFrame:
    stage.save_parquet(_OUT.CONTROL_RATES_PARQUET_BASENAME, frame)
    return frame
