"""S04K: put events out and run the blocks above again, at g1 and g*; disturb the stream at every gain of the grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, SliceRole, Stage
from critnb.criticality.knock_outs import KnockOutSums
from critnb.errors import ModelError
from critnb.events.knock_out import knock_out
from critnb.lattice import Condition
from critnb.lattice.thresholds import tau_of
from critnb.model.forward import Setting
from critnb.model.stability import stability
from critnb.pipeline.session import Arrays, StageSession
from critnb.report.provenance import Provenance
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s04k_knock_out.counted import Counted, Growths, knock_out_frame, load_counted, stability_frame
from critnb.stages.s04k_knock_out.tables import KnockOutResult, chosen_raster, tabulate


def measure(stage: StageSession) -> KnockOutResult:
    """Knock out events and disturb the stream, and write the counts and table T10.

    What the forward passes of an earlier run gave is adopted where only what draws figures differs. A model whose blocks
    cannot be run again from a kept stream leaves empty counts with the reason.
    """
    # loaded first, so that the record names the model also where an earlier run's counts are adopted
    _ = stage.model
    counted = _count(stage) if stage.earlier is None else load_counted(stage.earlier)
    return tabulate(stage, counted, Provenance.of(stage.run, stage.run.record.model))


def _count(stage: StageSession) -> Counted:
    raster = chosen_raster(stage)
    tokens = stage.slice(SliceRole.A_raster).tokens[: len(raster.seq_id)]
    conditions, gains = list(raster.conditions), list(stage.params.gain.grid)
    try:
        sums = [_knocked_out(stage, each, tokens, raster.seq_id) for each in conditions]
        growth = {gain: _grown(stage, gain, tokens, raster.seq_id) for gain in gains}
        reason = ""
    except ModelError as error:
        sums = [KnockOutSums.zeros((len(tokens), 0))] * len(conditions)
        growth = dict.fromkeys(gains, (np.zeros((len(tokens), 1, 0)), np.zeros((len(tokens), 0))))
        reason = str(error)
    return Counted(knock_out_frame(sums, conditions, raster.seq_id), stability_frame(growth, raster.seq_id), reason)


def _knocked_out(
    stage: StageSession, condition: Condition, tokens: NDArray[np.int64], seq_id: NDArray[np.int32]
) -> KnockOutSums:
    """Return the sums [V, N, L-1] of one condition; a finished condition survives an interruption as a checkpoint."""
    run = stage.upstream(Stage.S03)
    thresholds = run.parquet(run.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    setting = Setting(condition.intervention_id, condition.gain)
    spike_defs = [condition.spike_def_id]
    tau = tau_of(thresholds, setting.intervention, setting.gain, spike_defs, [condition.target_rate])
    label = f"knock out {condition.spike_def_id} {condition.target_rate:g} gain {condition.gain:g}"

    def compute() -> Arrays:
        with stage.progress(label, len(tokens)) as advance:
            return knock_out(
                stage.forward_passes(), tokens, upstream_calibration(stage)[0], tau, spike_defs, setting,
                seed=stage.params.nulls.seed, seq_id=seq_id, condition_keys=[[condition.key()]], on_batch=advance,
            )[0, 0].arrays()  # fmt: skip

    return KnockOutSums.from_arrays(dict(stage.checkpointed(label.replace(" ", "_"), compute)))


def _grown(stage: StageSession, gain: float, tokens: NDArray[np.int64], seq_id: NDArray[np.int32]) -> Growths:
    """Return the log growths [N, K, L] of K disturbances at a gain, and [N, L] of the first with a wide step."""
    setting, label = Setting(Intervention.MLP_GLOBAL, gain), f"disturb gain {gain:g}"

    def compute() -> Arrays:
        with stage.progress(label, len(tokens)) as advance:
            return stability(
                stage.forward_passes(), tokens, setting, directions=stage.params.knock_outs.directions,
                seed=stage.params.nulls.seed, seq_id=seq_id, on_batch=advance,
            ).arrays()  # fmt: skip

    found = stage.checkpointed(label.replace(" ", "_"), compute)
    return found["log_growth"], found["wide"]
